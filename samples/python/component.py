#!/usr/bin/env python3
"""PythonComponent: it ticks while it executes, and stops in order."""

import ccp

log, ticker_log = ccp.logger("root"), ccp.logger("ticker")


class Ticker(ccp.Component):
    def __init__(self):
        self.interval, self.ticks = 1.0, 0
        self.commands = {"GREET": self.greet}

    def configure(self, configuration):
        try:
            self.interval = float(configuration["values"].get("interval", 1.0))
        except (TypeError, ValueError) as error:
            raise ccp.Failed(f"config: interval: {error}; it is a number of seconds") from error
        log.info("configured: address %s, a tick each %.3g s", configuration["address"], self.interval)

    def execute(self, stop):
        while not stop.wait(self.interval):
            self.ticks += 1
            ticker_log.debug("tick %d", self.ticks)

    def cleanup(self):
        log.info("stopped after %d ticks", self.ticks)

    def healthy(self):
        return True, f"{self.ticks} ticks so far"

    def stats(self):
        return {"ticks": self.ticks}

    def primary(self, primary, term):
        log.info("primary: %s in term %d", primary, term)

    def greet(self, payload):
        if not payload.get("name"):
            raise ccp.Refused('GREET: name: is empty; send {"name":"Ada"}')
        return {"greeting": f"Hello, {payload['name']}!"}


if __name__ == "__main__":
    ccp.main(Ticker())
