"""Lambda's side of telemetry by hand: takes a subscription, posts batches, ends environments."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Mapping

from tests.support.scripted_api import Scripted, body_of, reply

SUBSCRIBED = reply("200 OK", "Content-Type: text/plain; charset=utf-8", body='"OK"')


def now_ms() -> int:
    return int(time.time() * 1000)


def invoke(_: bytes) -> bytes:
    """INVOKE of request r-1, with 3 s to go."""
    body = {"eventType": "INVOKE", "deadlineMs": now_ms() + 3000, "requestId": "r-1"}
    return reply("200 OK", body=json.dumps(body))


def shutdown(_: bytes) -> bytes:
    body = {"eventType": "SHUTDOWN", "deadlineMs": now_ms() + 2000, "shutdownReason": "spindown"}
    return reply("200 OK", body=json.dumps(body))


def record(kind: str, content: object) -> dict[str, object]:
    return {"time": "2026-01-31T12:00:00.000Z", "type": kind, "record": content}


class Platform:
    """Knows the listener from the subscription, and posts to it."""

    def __init__(self) -> None:
        self.port = 0
        self.threads: list[threading.Thread] = []

    def subscribe(self, request: bytes) -> bytes:
        uri = json.loads(body_of(request))["destination"]["URI"]
        self.port = int(uri.rstrip("/").rpartition(":")[2])
        return SUBSCRIBED

    def post(self, *records: Mapping[str, object]) -> None:
        data = json.dumps(records).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", data, method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    def posting(self, then: Scripted, *records: Mapping[str, object]) -> Scripted:
        """Answer as `then`, and deliver the records while the client has its answer."""

        def answer(request: bytes) -> bytes:
            thread = threading.Thread(target=self.post, args=records)
            self.threads.append(thread)
            answered = then if isinstance(then, bytes) else then(request)
            thread.start()
            return answered

        return answer
