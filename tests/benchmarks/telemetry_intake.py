"""Telemetry records a second through the listener to a handler, sent by another process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from lambda_extensions.delivery import Delivery
from lambda_extensions.flush import FlushPolicy
from lambda_extensions.intake import Intake
from lambda_extensions.records import TelemetryRecord
from lambda_extensions.telemetry import TelemetryHandler
from tests.benchmarks.report import Options, Sample, Target, interleave, median, print_table

ROUNDS = 3
RECORDS, SMOKE_RECORDS = 500_000, 5_000
BATCH = 1000
LIMIT = 100_000.0

SENDER = """
import json, socket, sys
port, wanted, size = map(int, sys.argv[1:])
line = "[INFO] 79b4f56e-95b1-4643-9700-2807f4e68189 Hello world %d"
body = json.dumps([
    {"time": "2026-01-31T12:00:00.000Z", "type": "function", "record": line % number}
    for number in range(size)
]).encode()
request = b"POST / HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
sent = 0
with socket.create_connection(("127.0.0.1", port)) as connection:
    while sent < wanted:
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"\\r\\n\\r\\n"):
            answer += connection.recv(4096)
        if b" 200 " in answer:
            sent += size
"""


def run(options: Options) -> list[Target]:
    records = SMOKE_RECORDS if options.smoke else RECORDS
    rounds = options.round_count(ROUNDS)
    samples = interleave({"listener": lambda: _measure(records)}, rounds)
    rate, lost = (median(samples, "listener", column) for column in ("rate", "lost"))
    title = f"telemetry: records from a sender to a handler, {records} x {rounds} rounds"
    print_table(title, ["", "records/s", "lost"], [["listener", rate, lost]])
    return [
        Target("telemetry records a second", rate, LIMIT, at_most=False),
        Target("telemetry records lost", lost, 0.0),
    ]


def _measure(records: int) -> Sample:
    seen, done = 0, threading.Event()

    def handler(batch: list[TelemetryRecord]) -> None:
        nonlocal seen
        seen += len(batch)
        if seen >= records:
            done.set()

    wish = TelemetryHandler(handler, ["function"], FlushPolicy.continuous())
    delivery = Delivery(wish, call=lambda f, batch: f(batch), give_up=print)
    listener = Intake([delivery])._listener
    listener.start()
    delivery.start()
    began = time.perf_counter()
    try:
        arguments = [str(listener.port), str(records), str(BATCH)]
        subprocess.run([sys.executable, "-c", SENDER, *arguments], check=True)
        done.wait(60)
        took = time.perf_counter() - began
    finally:
        listener.close()
        delivery.close(1.0)
    return {"rate": seen / took, "lost": float(records - seen)}
