"""The Component Control Protocol for a component in Python, from ccp/spec.md.

    class Ticker(ccp.Component):
        def execute(self, stop):
            stop.wait()

    ccp.main(Ticker())

Component is what an author fills in; everything below it is the protocol. Needs
the packages grpcio and grpcio-tools, and exchange.proto beside this file.
"""

import gc
import json
import logging
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
import uuid
from concurrent import futures
from datetime import datetime, timezone

COOKIE = ("CCP_COMPONENT_COOKIE", "4ad9b1f6c3d84e0f9a6b5c2e7d108f35")
STARTING = ["COMPONENT_LAUNCH", "COMPONENT_CONFIGURATION", "COMPONENT_CONNECT", "COMPONENT_START", "COMPONENT_EXECUTION"]
STOPPING = ["COMPONENT_STOP_TIME_WAIT", "COMPONENT_STOP_EXECUTION", "COMPONENT_STOP_CLEANUP"]
SCOPES = {"COMPONENT_LAUNCH": "COMPONENT_LAUNCH", "COMPONENT_EXECUTION": "COMPONENT_RUNNING"}
LEVELS = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "error": 40, "off": 100}
EXIT_FAILED, EXIT_DEFECT = 1, 70
MAX_MESSAGE = 16 << 20

loggers = {"root": logging.getLogger()}
log = loggers["root"]


def logger(name):
    """A logger whose level can be changed from outside, by this name."""
    return loggers.setdefault(name, logging.getLogger(name))


class Refused(Exception):
    """Raised by a command: its reply is an ERROR with this text."""


class Failed(Exception):
    """Raised by the work: the component reports this text and exits with 1. Any
    other exception is a defect, and exits with 70."""


class Component:
    """What an author fills in. Only execute is required.

    The methods of a life are called one after the other, from one thread; those
    that answer come at any time, from others.
    """

    commands = {}  # of its own: a function from payload to reply, by type

    def configure(self, configuration):
        """configuration has values, secrets, arguments and address."""

    def connect(self):
        """Opens what the work needs."""

    def start(self):
        """The last step before the work."""

    def execute(self, stop):
        """The work: until stop is set, or until it is done."""
        raise NotImplementedError

    def cleanup(self):
        """Closes what connect has opened."""

    def healthy(self):
        """Returns whether it is well, and a detail for people."""
        return True, ""

    def stats(self):
        """Returns numbers by name."""
        return {}

    def primary(self, primary, term):
        """Told whether this instance is the primary of its target."""


def main(component):
    """Runs a component that a peer has launched, and exits."""
    if os.environ.pop(COOKIE[0], "") != COOKIE[1]:
        sys.exit("This program is a component: peerd launches it, with what a profile says of it.")
    folder = os.environ.pop("PLUGIN_UNIX_SOCKET_DIR")
    os.environ.pop("PLUGIN_PROTOCOL_VERSIONS", None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")

    import grpc  # takes a while, and may be missing: only now
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    life = Life(component, grpc.protos("exchange.proto"))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: life.stop.set())
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[
        ("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE),
        ("grpc.http2.min_ping_interval_without_data_ms", 5000), ("grpc.keepalive_permit_without_calls", 1)])
    frame = life.pb.Frame
    method = grpc.stream_stream_rpc_method_handler(
        life.channel, request_deserializer=frame.FromString, response_serializer=frame.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("peerd.exchange.v1.Exchange", {"Channel": method})])
    path = os.path.join(folder, "s")
    server.add_insecure_port("unix:" + path)
    server.start()
    print(f"1|1|unix|{path}|grpc", flush=True)
    code = life.live()
    server.stop(1).wait()
    sys.exit(code)


def scope(state):
    if state in STOPPING:
        return "COMPONENT_STOP"
    return SCOPES.get(state, "COMPONENT_LAUNCHING")


def now():
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def levels():
    words = {number: word for word, number in LEVELS.items()}
    return {name: words[each.getEffectiveLevel()] for name, each in loggers.items()}


class Unknown(Exception):
    """Becomes an UNKNOWN reply."""


class Link:
    """One stream with a peer: what is sent goes through a queue, replies find
    whoever waits for them by the command's id."""

    def __init__(self, pb):
        self.pb, self.out, self.waiting, self.cancelled = pb, queue.Queue(), {}, {}

    def call(self, typ, payload, timeout=10):
        command = self.pb.Command(id=uuid.uuid4().hex, type=typ, payload=json.dumps(payload).encode())
        answer = self.waiting[command.id] = queue.Queue(1)
        self.out.put(self.pb.Frame(command=command))
        try:
            reply = answer.get(timeout=timeout)
        finally:
            del self.waiting[command.id]
        if reply.status != self.pb.STATUS_SUCCEEDED:
            raise Refused(reply.error_details)
        return json.loads(reply.payload or b"{}")

    def reply(self, command, status, payload=None, typ=None, error=""):
        self.out.put(self.pb.Frame(reply=self.pb.Reply(
            command_id=command.id, type=typ or command.type, status=status,
            payload=json.dumps(payload or {}).encode(), error_details=error)))


class Life:
    """A component's life: its states, and its answers to the peer."""

    def __init__(self, component, pb):
        self.component, self.pb, self.link = component, pb, None
        self.state, self.since, self.term = "COMPONENT_LAUNCH", now(), 0
        self.stop, self.attached = threading.Event(), threading.Event()
        self.handlers = {
            "HANDSHAKE": self.handshake, "INITIATE_SHUTDOWN": self.shutdown, "REPORT_STATE": self.report_state,
            "SET_LOGLEVEL": self.set_loglevel, "DUMP_STACK": self.dump_stack, "PRIMARY": self.primary,
            "HEALTH_CHECK": self.health_check,
            "FLUSH_MESSAGES": self.unsupported, "CLEAR_OUT_LOGS": self.unsupported, "CLEAR_ERR_LOGS": self.unsupported,
        }

    # What the peer may command.

    def handshake(self, payload):
        low, high = (tuple(map(int, payload[k].split("."))) for k in ("minVersionSupported", "maxVersionSupported"))
        return {"minVersionSupported": "1.0", "maxVersionSupported": "1.0", "ccpSupported": low <= (1, 0) <= high,
                "comment": "a component in Python; it speaks CCP 1.0", "features": ["DUMP_STACK"]}

    def shutdown(self, payload):
        log.info("stopping: %s", payload.get("reason", ""))
        self.stop.set()
        return {}

    def report_state(self, _):
        return {"state": self.state, "since": self.since, "operationScope": scope(self.state)}

    def set_loglevel(self, payload):
        for name, level in payload["levels"].items():
            if name not in loggers:
                raise Refused(f'unknown logger "{name}"; loggers: {", ".join(sorted(loggers))}')
            if level.lower() not in LEVELS:
                raise Refused(f'unknown level "{level}"; levels: {", ".join(LEVELS)}')
        for name, level in payload["levels"].items():
            loggers[name].setLevel(LEVELS[level.lower()])
        return {"levels": levels()}

    def dump_stack(self, _):
        for thread, frame in sys._current_frames().items():
            print(f"thread {thread}\n" + "".join(traceback.format_stack(frame)), file=sys.stderr)
        return {}

    def primary(self, payload):
        if payload["term"] < self.term:
            raise Refused(f"term {payload['term']} is lower than {self.term}")
        self.term = payload["term"]
        self.component.primary(payload["primary"], self.term)
        return {}

    def health_check(self, _):
        healthy, detail = self.component.healthy()
        return {"healthy": healthy, "detail": detail}

    def unsupported(self, _):
        raise Refused("not supported")

    def values(self, request):
        used = resource.getrusage(resource.RUSAGE_SELF)
        known = {
            "PID": os.getpid, "THREADS": threading.active_count, "COMPONENT_STATS": self.component.stats,
            "LOG_LEVELS": lambda: {n: v for n, v in levels().items() if n in (request.get("loggers") or loggers)},
            "CPU_USAGE": lambda: {"totalMs": int(1000 * (used.ru_utime + used.ru_stime))},
            "MEMORY_USAGE": lambda: {"heapUsed": len(gc.get_objects()) * 64, "heapAllocated": used.ru_maxrss * 1024,
                                     "nonHeapUsed": 0, "nonHeapAllocated": 0},
        }
        data = {"at": now(), "values": {}, "errors": {}}
        for identifier in request["identifiers"]:
            if identifier in known:
                data["values"][identifier] = known[identifier]()
            else:
                data["errors"][identifier] = "not supported"
        return data

    def data_request(self, link, command, request):
        count, pause = request.get("repetitionCount") or 1, request.get("intervalMs", 0) / 1000
        while count != 1:  # negative: without end
            link.reply(command, self.pb.STATUS_IN_PROGRESS, self.values(request), "DATA")
            count -= 1
            if link.cancelled[command.id].wait(pause):
                raise Refused("cancelled")
        link.reply(command, self.pb.STATUS_SUCCEEDED, self.values(request), "DATA")

    # The channel.

    def channel(self, frames, _context):
        """The one gRPC method: yields what is to be sent."""
        link = Link(self.pb)
        threading.Thread(target=self.receive, args=(link, frames), daemon=True).start()
        while (frame := link.out.get()) is not None:
            yield frame

    def receive(self, link, frames):
        try:
            for frame in frames:
                if frame.HasField("reply"):
                    if waiter := link.waiting.get(frame.reply.command_id):
                        if frame.reply.status not in (self.pb.STATUS_PENDING, self.pb.STATUS_IN_PROGRESS):
                            waiter.put(frame.reply)
                elif frame.command.type == "CANCEL":
                    if cancelled := link.cancelled.get(json.loads(frame.command.payload)["commandId"]):
                        cancelled.set()
                elif frame.command.type in self.handlers:  # in their order
                    self.answer(link, frame.command)
                else:  # may take its time
                    link.cancelled[frame.command.id] = threading.Event()
                    threading.Thread(target=self.answer, args=(link, frame.command), daemon=True).start()
        except Exception as error:  # the peer is gone; another one may come
            log.debug("stream ended: %s", error)
        finally:
            for cancelled in list(link.cancelled.values()):
                cancelled.set()
            link.out.put(None)

    def answer(self, link, command):
        try:
            if command.HasField("expires_at") and command.expires_at.ToNanoseconds() < time.time_ns():
                raise Refused("expired before it was begun")
            payload = json.loads(command.payload or b"{}")
            if command.type == "DATA_REQUEST":
                return self.data_request(link, command, payload)
            handler = self.handlers.get(command.type) or self.component.commands.get(command.type)
            if handler is None:
                raise Unknown(f"unknown command type {command.type}")
            link.reply(command, self.pb.STATUS_SUCCEEDED, handler(payload))
            if command.type == "HANDSHAKE":
                self.link = link
                self.attached.set()
        except Unknown as error:
            link.reply(command, self.pb.STATUS_ERROR, typ="UNKNOWN", error=str(error))
        except Exception as error:
            link.reply(command, self.pb.STATUS_ERROR, error=str(error) or repr(error))
        finally:
            link.cancelled.pop(command.id, None)

    # The states.

    def report(self, state, kind="INFORMATION", **more):
        if state != self.state:
            self.state, self.since = state, now()
        try:
            self.link.call("STATUS", {"statusType": kind, "state": state, "operationScope": scope(state), **more})
        except (Refused, queue.Empty) as error:
            log.warning("report of %s: %s", state, error)

    def live(self):
        """Walks the states in order; returns the exit code."""
        self.attached.wait()
        try:
            self.work()
        except Exception as error:
            log.exception("failed")
            self.report(self.state, "ERROR", errorMessage=str(error) or repr(error))
            return EXIT_FAILED if isinstance(error, Failed) else EXIT_DEFECT
        return 0

    def work(self):
        steps = {"COMPONENT_CONFIGURATION": self.configure, "COMPONENT_CONNECT": self.component.connect,
                 "COMPONENT_START": self.component.start, "COMPONENT_EXECUTION": lambda: self.component.execute(self.stop),
                 "COMPONENT_STOP_CLEANUP": self.component.cleanup}
        for state in STARTING + STOPPING:
            if state in STARTING and self.stop.is_set():
                continue
            self.report(state)
            steps.get(state, lambda: None)()

    def configure(self):
        answer = self.link.call("DATA_REQUEST", {"identifiers": ["COMPONENT_CONFIGURATION"], "repetitionCount": 1, "intervalMs": 0})
        configuration = answer["values"]["COMPONENT_CONFIGURATION"]
        for name, level in configuration.get("loggers", {}).items():
            logger(name).setLevel(LEVELS[level])
        self.component.configure(configuration)
