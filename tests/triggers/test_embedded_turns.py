"""The embedded AWS works on one request at a time, but for long polls."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from rapid_mock.triggers import embedded_aws_child
from rapid_mock.triggers.embedded_aws_child import OneAtATime
from tests.support.aws import eventually

Environ = dict[str, Any]
FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Engine:
    """An application that knows one queue `q`, and notes how many are in it at once."""

    def __init__(self, wait: int = 0) -> None:
        self.messages: deque[str] = deque()
        self.most_at_once = 0
        self.receives = 0
        self._wait = wait
        self._at_once = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(0.002)
        status, answer = self._answer(environ, environ["wsgi.input"].read())
        with self._lock:
            self._at_once -= 1
        start_response(status, [("Content-Type", "x")])
        return [answer]

    def _answer(self, environ: Environ, body: bytes) -> tuple[str, bytes]:
        if environ.get("CONTENT_TYPE") == FORM:
            said = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            assert said["WaitTimeSeconds"] == "0"
            text = "<Message>m</Message>" if self.messages else "<Nothing/>"
            return "200 OK", text.encode()
        said = json.loads(body or b"{}")
        match environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]:
            case "SendMessage":
                self.messages.append("m")
            case "GetQueueAttributes":
                attributes = {"ReceiveMessageWaitTimeSeconds": str(self._wait)}
                return "200 OK", json.dumps({"Attributes": attributes}).encode()
            case "ReceiveMessage":
                self.receives += 1
                assert said["WaitTimeSeconds"] == 0
                if said["QueueUrl"].endswith("/none"):
                    return "400 Bad Request", b'{"__type": "QueueDoesNotExist"}'
                found = [self.messages.popleft()] if self.messages else []
                return "200 OK", json.dumps({"Messages": found}).encode()
        return "200 OK", b"{}"


def ask(served: OneAtATime, operation: str, host: str = "one", **members: Any) -> Any:
    body = json.dumps({"QueueUrl": f"http://{host}/123456789012/q", **members}).encode()
    environ = {
        "HTTP_X_AMZ_TARGET": f"AmazonSQS.{operation}",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    answer = b"".join(served(environ, lambda *_: None))
    return json.loads(answer)


def test_one_at_a_time() -> None:
    """However many ask at once, the engine is never entered twice."""
    engine = Engine()
    served = OneAtATime(engine)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(served, "SendMessage"), range(40)))
    assert engine.most_at_once == 1
    assert len(engine.messages) == 40


def test_sending_ends_a_long_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is sent ends a poll at once, under whatever host its queue's URL has."""
    monkeypatch.setattr(embedded_aws_child, "RECHECK_SECONDS", 60)
    served = OneAtATime(engine := Engine())
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(ask, served, "ReceiveMessage", WaitTimeSeconds=20)
        eventually(lambda: engine.receives, "the poll")
        ask(served, "SendMessage", host="two")
        assert poll.result(10) == {"Messages": ["m"]}
    assert engine.receives == 2


@pytest.mark.parametrize("members", [{"WaitTimeSeconds": 1}, {}])
def test_end_of_a_long_poll(members: dict[str, Any]) -> None:
    """Without a message a poll ends when its time is over: its own, or its queue's."""
    served = OneAtATime(engine := Engine(wait=1))
    begun = time.monotonic()
    assert ask(served, "ReceiveMessage", **members) == {"Messages": []}
    assert 1 <= time.monotonic() - begun < 5
    assert engine.receives > 1


def test_no_waiting_for_a_refusal() -> None:
    """A refusal is passed on at once."""
    served = OneAtATime(engine := Engine())
    answer = ask(served, "ReceiveMessage", QueueUrl="http://h/1/none", WaitTimeSeconds=20)
    assert answer == {"__type": "QueueDoesNotExist"}
    assert engine.receives == 1


def test_query_protocol() -> None:
    """The older protocol of SQS, with forms and XML, is understood too."""
    served = OneAtATime(engine := Engine())
    engine.messages.append("m")
    said = {"Action": "ReceiveMessage", "WaitTimeSeconds": "20", "QueueUrl": "http://h/1/q"}
    body = urlencode(said).encode()
    environ = {
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=a/2026/us-east-1/sqs/aws4_request",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    assert b"<Message>" in b"".join(served(environ, lambda *_: None))


def test_what_is_no_call_of_a_queue() -> None:
    """Other requests pass as they are, chunked bodies too."""
    seen: list[bytes] = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b"x"]

    served = OneAtATime(application)
    chunked = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b"chunked")}
    short = {"CONTENT_LENGTH": "3", "wsgi.input": io.BytesIO(b"abcdef")}
    for environ in (chunked, short, {"wsgi.input": io.BytesIO(b"no body")}):
        assert b"".join(served(environ, lambda *_: None)) == b"x"
    assert seen == [b"chunked", b"abc", b""]
