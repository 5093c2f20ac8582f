"""moto's server on a free port of loopback, run as a script; its first line of output is the port,
and after tabs what of moto could not be changed.

moto's queues are not safe with threads: a message that is sent while another is deleted can be
lost, and two receives at once can get the same one. So one request is worked on at a time. A long
poll of SQS would hold up all others: it is asked without waiting, and again when there may be more.
"""

from __future__ import annotations

import io
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from runpy import run_path
from typing import IO, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from moto.moto_server import werkzeug_app
from werkzeug.serving import WSGIRequestHandler, make_server

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

HELD_BYTES = 1024 * 1024
LONGEST_WAIT = 20
RECHECK_SECONDS = 0.5
"""How late a message is noticed that becomes visible by itself, or comes from another service."""
_TARGET = "AmazonSQS."
_WAKING = frozenset({"SendMessage", "SendMessageBatch", "ChangeMessageVisibility"})
_WAIT = "WaitTimeSeconds"
_CHANGES = {
    "embedded_shards.py": ("close_shards", "shards that are split or merged do not close"),
    "embedded_changes.py": ("tell_changes_once", "a table's stream may tell a change twice"),
}


class _QueueCall(NamedTuple):
    """A call of SQS, in its JSON or its query protocol."""

    operation: str
    members: dict[str, Any]
    is_json: bool

    @property
    def queue(self) -> str:
        """Its name: what comes before it in a URL depends on who asked."""
        return str(self.members.get("QueueUrl", "")).rpartition("/")[2]

    def without_waiting(self) -> bytes:
        members = {**self.members, _WAIT: 0}
        return (json.dumps(members) if self.is_json else urlencode(members)).encode()


class OneAtATime:
    """Serves `application`, one request at a time."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._turn = threading.Condition()
        self._sent: dict[str, int] = {}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        with tempfile.SpooledTemporaryFile(HELD_BYTES) as body:
            _hold_body(environ, body)
            call = _queue_call(environ)
            with self._turn:
                if call is not None and call.operation == "ReceiveMessage":
                    return self._receive(environ, start_response, call)
                answer = self._application(environ, start_response)
                if call is not None and call.operation in _WAKING:
                    self._sent[call.queue] = self._sent.get(call.queue, 0) + 1
                    self._turn.notify_all()
                return answer

    def _receive(
        self, environ: Environ, start_response: Callable[..., Any], call: _QueueCall
    ) -> Iterable[bytes]:
        """Ask until there is a message or the time is over."""
        end = time.monotonic() + self._seconds(environ, call)
        while True:
            sent = self._sent.get(call.queue, 0)
            status, headers, body = self._asked(environ, call.without_waiting())
            left = end - time.monotonic()
            if left <= 0 or not status.startswith("200") or _has_messages(body):
                break
            self._turn.wait_for(
                partial(self._has_sent, call.queue, sent), timeout=min(left, RECHECK_SECONDS)
            )
        start_response(status, headers)
        return [body]

    def _has_sent(self, queue: str, before: int) -> bool:
        return self._sent.get(queue, 0) != before

    def _seconds(self, environ: Environ, call: _QueueCall) -> int:
        """How long to wait: as the call says, or as its queue does."""
        seconds = call.members.get(_WAIT)
        if seconds is None:
            target = {
                "HTTP_X_AMZ_TARGET": f"{_TARGET}GetQueueAttributes",
                "CONTENT_TYPE": "application/x-amz-json-1.0",
            }
            members = {
                "QueueUrl": call.members.get("QueueUrl", ""),
                "AttributeNames": ["ReceiveMessageWaitTimeSeconds"],
            }
            _, _, answer = self._asked({**environ, **target}, json.dumps(members).encode())
            attributes = json.loads(answer).get("Attributes", {})
            seconds = attributes.get("ReceiveMessageWaitTimeSeconds", 0)
        return min(int(seconds), LONGEST_WAIT)

    def _asked(self, environ: Environ, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        told: list[Any] = []
        given = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        answer = b"".join(self._application(given, lambda *heads: told.append(heads)))
        return told[0][0], told[0][1], answer


def _hold_body(environ: Environ, held: IO[bytes]) -> None:
    """Have the whole request before its turn comes: its client may be slow."""
    length = environ.get("CONTENT_LENGTH")
    if length or environ.get("wsgi.input_terminated"):
        left = int(length) if length else -1
        while data := environ["wsgi.input"].read(HELD_BYTES if left < 0 else min(left, HELD_BYTES)):
            held.write(data)
            left -= len(data) if left > 0 else 0
    held.seek(0)
    environ["wsgi.input"] = held


def _queue_call(environ: Environ) -> _QueueCall | None:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if not target.startswith(_TARGET) and not is_form:
        return None
    body = environ["wsgi.input"].read()
    environ["wsgi.input"].seek(0)
    if not is_form:
        try:
            return _QueueCall(target.removeprefix(_TARGET), json.loads(body), True)
        except ValueError:
            return None
    members = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    is_queue = "/sqs/" in environ.get("HTTP_AUTHORIZATION", "")
    return _QueueCall(members.get("Action", ""), members, False) if is_queue else None


def _has_messages(body: bytes) -> bool:
    if body.startswith(b"{"):
        return bool(json.loads(body).get("Messages"))
    return b"<Message>" in body


def _change_moto() -> Iterable[str]:
    """Have it do what AWS does; what becomes of it where it is not the moto that we know."""
    for name, (change, otherwise) in _CHANGES.items():
        try:
            run_path(str(Path(__file__).with_name(name)))[change]()
        except (ImportError, AttributeError) as error:
            yield f"moto {version('moto')} is unknown here, so that {otherwise} ({error})"


def main() -> None:
    """Serve until killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    faults = list(_change_moto())
    application = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    handler = getattr(werkzeug_app, "MotoRequestHandler", WSGIRequestHandler)
    made = make_server(
        "127.0.0.1", 0, OneAtATime(application), threaded=True, request_handler=handler
    )
    first_line = "\t".join((str(made.server_port), *faults))
    print(first_line, flush=True)  # noqa: T201  whoever started us reads it
    made.serve_forever()


if __name__ == "__main__":
    main()
