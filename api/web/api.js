// The peer's API: every call throws an Error with the peer's own message.

async function answer(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(body.error?.message ?? response.statusText);
  return body;
}

export const get = async (path) => answer(await fetch(path));

export const post = async (path, body = {}) =>
  answer(await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

// idOf is the name that is exact on this peer: application/instance.
export const idOf = (instance) => `${instance.application}/${instance.name}`;

export const pathOf = (id) => encodeURIComponent(id);

// follow calls each with every item of a stream until the function it returns
// is called. The browser connects again by itself when the stream broke, and
// opened is called each time: numbered items then go on where they were, others
// start over.
export function follow(path, each, opened = () => {}) {
  const source = new EventSource(path);
  source.onopen = opened;
  source.onmessage = (event) => each(JSON.parse(event.data));
  for (const end of ["result", "error", "cutoff"]) {
    source.addEventListener(end, (event) => {
      // A lost connection is an event named error too, but without data.
      if (event.data) source.close();
    });
  }
  return () => source.close();
}
