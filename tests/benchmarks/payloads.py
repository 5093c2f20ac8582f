"""Bigger events: 10 KB chunked, and 1 MB and 6 MB as one long string and as records."""

from __future__ import annotations

import json
from importlib.util import find_spec

from tests.benchmarks.client_loop import cores_in_words, print_client_table
from tests.benchmarks.clients import FLOOR, OURS, OURS_BY_ORJSON, PEER, Load, subjects
from tests.benchmarks.report import Options, Target, interleave, ratio

ROUNDS = 5
MEGABYTE = 1_000_000


def string_event(size: int) -> bytes:
    """One long string, as API Gateway sends a base64 body."""
    return json.dumps({"isBase64Encoded": True, "body": "QUJD" * (size // 4)}).encode()


def string_value(size: int) -> bytes:
    return json.dumps("QUJD" * (size // 4)).encode()


def records_event(size: int) -> bytes:
    """Records as SQS sends them, until `size` bytes are reached."""
    record = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "body": "Test message.",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-2",
    }
    return json.dumps({"Records": [record] * (size // len(json.dumps(record)))}).encode()


CASES = {
    "10 KB records, chunked": (Load(records_event(10_000), 200, 2000, chunked=True), 0.55),
    "1 MB string value": (Load(string_value(MEGABYTE), 5, 60), 0.55),
    "6 MB string value": (Load(string_value(6 * MEGABYTE), 2, 12), 0.70),
    "1 MB string in an object": (Load(string_event(MEGABYTE), 5, 60), None),
    "1 MB records": (Load(records_event(MEGABYTE), 3, 30), 0.80),
    "6 MB records": (Load(records_event(6 * MEGABYTE), 1, 6), 0.85),
}
"""Name to the load and the most that ours may take of awslambdaric's wall time."""
BY_ORJSON = {"1 MB records": 0.25, "6 MB records": 0.45}
"""The same with JSON by orjson, where it matters and is installed."""


def run(options: Options) -> list[Target]:
    targets = []
    for name, (usual, limit) in CASES.items():
        load = Load(usual.event, 1, 2, usual.chunked) if options.smoke else usual
        rounds = options.round_count(ROUNDS)
        has_orjson = name in BY_ORJSON and find_spec("orjson") is not None
        names = [OURS, *([OURS_BY_ORJSON] if has_orjson else []), PEER, FLOOR]
        samples = interleave(subjects(load, options.cores, names), rounds)
        words = f"{load.count} invokes x {rounds} rounds, {cores_in_words(options.cores)}"
        print_client_table(f"payloads: {name}, {words}", samples)
        if limit is not None:
            wall = ratio(samples, OURS, PEER, "wall_us")
            targets.append(Target(f"payloads, {name}, wall against {PEER}", wall, limit))
        if has_orjson:
            wall = ratio(samples, OURS_BY_ORJSON, PEER, "wall_us")
            targets.append(
                Target(f"payloads, {name}, orjson, wall against {PEER}", wall, BY_ORJSON[name])
            )
    return targets
