#!/usr/bin/env python3
"""The sample component in Python, written from ccp/spec.md alone.

It walks all states, answers every command of the protocol, ticks while it
executes, and stops in order. Needs the packages grpcio and grpcio-tools.
"""

import gc
import json
import logging
import os
import queue
import resource
import signal
import sys
import tempfile
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
MAX_MESSAGE = 16 << 20

loggers = {"root": logging.getLogger(), "ticker": logging.getLogger("ticker")}
log, ticker_log = loggers["root"], loggers["ticker"]


def scope(state):
    if state in STOPPING:
        return "COMPONENT_STOP"
    return SCOPES.get(state, "COMPONENT_LAUNCHING")


def now():
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


class Refused(Exception):
    """Becomes an ERROR reply."""


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


class Component:
    def __init__(self, pb):
        self.pb, self.link = pb, None
        self.state, self.since = "COMPONENT_LAUNCH", now()
        self.interval, self.ticks, self.term = 1.0, 0, 0
        self.stop, self.attached = threading.Event(), threading.Event()
        self.handlers = {
            "HANDSHAKE": self.handshake, "INITIATE_SHUTDOWN": self.shutdown, "REPORT_STATE": self.report_state,
            "SET_LOGLEVEL": self.set_loglevel, "DUMP_STACK": self.dump_stack, "PRIMARY": self.primary,
            "HEALTH_CHECK": lambda _: {"healthy": True, "detail": f"{self.ticks} ticks so far"},
            "GREET": lambda p: {"greeting": f"Hello, {p['name']}!"},
            "FLUSH_MESSAGES": self.unsupported, "CLEAR_OUT_LOGS": self.unsupported, "CLEAR_ERR_LOGS": self.unsupported,
        }

    # What the peer may command.

    def handshake(self, payload):
        low, high = (tuple(map(int, payload[k].split("."))) for k in ("minVersionSupported", "maxVersionSupported"))
        common = low <= (1, 0) <= high
        return {"minVersionSupported": "1.0", "maxVersionSupported": "1.0", "ccpSupported": common,
                "comment": "the Python sample speaks CCP 1.0", "features": ["DUMP_STACK"]}

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
        return {"levels": self.levels()}

    def levels(self):
        words = {number: word for word, number in LEVELS.items()}
        return {name: words[logger.getEffectiveLevel()] for name, logger in loggers.items()}

    def dump_stack(self, _):
        for thread, frame in sys._current_frames().items():
            print(f"thread {thread}\n" + "".join(traceback.format_stack(frame)), file=sys.stderr)
        return {}

    def primary(self, payload):
        if payload["term"] < self.term:
            raise Refused(f"term {payload['term']} is lower than {self.term}")
        self.term = payload["term"]
        log.info("primary: %s in term %d", payload["primary"], self.term)
        return {}

    def unsupported(self, _):
        raise Refused("not supported")

    def values(self, request):
        used = resource.getrusage(resource.RUSAGE_SELF)
        known = {
            "PID": os.getpid, "THREADS": threading.active_count, "COMPONENT_STATS": lambda: {"ticks": self.ticks},
            "LOG_LEVELS": lambda: {n: v for n, v in self.levels().items() if n in (request.get("loggers") or loggers)},
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
        cancelled = link.cancelled[command.id] = threading.Event()
        while count != 1:
            link.reply(command, self.pb.STATUS_IN_PROGRESS, self.values(request), "DATA")
            count -= 1
            if cancelled.wait(pause):
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
                elif frame.command.type == "DATA_REQUEST":
                    threading.Thread(target=self.answer, args=(link, frame.command), daemon=True).start()
                else:
                    self.answer(link, frame.command)
        except Exception as error:  # the peer is gone; another one may come
            log.debug("stream ended: %s", error)
        finally:
            link.out.put(None)

    def answer(self, link, command):
        try:
            payload = json.loads(command.payload or b"{}")
            if command.type == "DATA_REQUEST":
                return self.data_request(link, command, payload)
            if command.type not in self.handlers:
                raise Unknown(f"unknown command type {command.type}")
            reply = self.handlers[command.type](payload)
            link.reply(command, self.pb.STATUS_SUCCEEDED, reply)
            if command.type == "HANDSHAKE":
                self.link = link
                self.attached.set()
        except Unknown as error:
            link.reply(command, self.pb.STATUS_ERROR, typ="UNKNOWN", error=str(error))
        except Exception as error:
            link.reply(command, self.pb.STATUS_ERROR, error=str(error) or repr(error))

    # The life.

    def report(self, state, kind="INFORMATION", **more):
        self.state, self.since = state, now()
        try:
            self.link.call("STATUS", {"statusType": kind, "state": state, "operationScope": scope(state), **more})
        except (Refused, queue.Empty) as error:
            log.warning("report of %s: %s", state, error)

    def live(self):
        self.attached.wait()
        for state in STARTING:
            if self.stop.is_set():
                break
            self.report(state)
            if state == "COMPONENT_CONFIGURATION":
                self.configure()
        while not self.stop.wait(self.interval):
            self.ticks += 1
            ticker_log.debug("tick %d", self.ticks)
        for state in STOPPING:
            self.report(state)
        log.info("stopped after %d ticks", self.ticks)

    def configure(self):
        answer = self.link.call("DATA_REQUEST", {"identifiers": ["COMPONENT_CONFIGURATION"], "repetitionCount": 1, "intervalMs": 0})
        configuration = answer["values"]["COMPONENT_CONFIGURATION"]
        self.interval = float(configuration["values"].get("interval", 1.0))
        for name, level in configuration.get("loggers", {}).items():
            loggers.setdefault(name, logging.getLogger(name)).setLevel(LEVELS[level])
        log.info("configured: address %s, a tick each %.3g s", configuration["address"], self.interval)


def main():
    if os.environ.pop(COOKIE[0], "") != COOKIE[1]:
        sys.exit("This program is a component: peerd launches it, with what a profile says of it.")
    folder = os.environ.pop("PLUGIN_UNIX_SOCKET_DIR")
    os.environ.pop("PLUGIN_PROTOCOL_VERSIONS", None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")

    import grpc
    sys.path.insert(0, os.environ.get("PEERD_PROTO", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../exchange/stream")))
    pb = grpc.protos("exchange.proto")

    component = Component(pb)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: component.stop.set())
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[
        ("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE),
        ("grpc.http2.min_ping_interval_without_data_ms", 5000), ("grpc.keepalive_permit_without_calls", 1)])
    method = grpc.stream_stream_rpc_method_handler(
        component.channel, request_deserializer=pb.Frame.FromString, response_serializer=pb.Frame.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("peerd.exchange.v1.Exchange", {"Channel": method})])
    path = os.path.join(folder, "s")
    server.add_insecure_port("unix:" + path)
    server.start()
    print(f"1|1|unix|{path}|grpc", flush=True)
    component.live()
    server.stop(1).wait()


if __name__ == "__main__":
    main()
