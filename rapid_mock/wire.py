"""Calls of the Runtime and Extensions APIs, one connection each, as a test spells them.

poll = call(address, "GET", "/2018-06-01/runtime/invocation/next")
poll.is_parked                      # nobody has answered yet
poll.answer().header("Lambda-Runtime-Aws-Request-Id")
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

ANSWER_SECONDS = 10.0
"""How long `answer` waits; real seconds, whatever the environment's clock says."""


class ApiError(Exception):
    """Raised for an answer of 400 or above.

    `status` is the HTTP status; `error_type` and `message` are the body's `errorType` and
    `errorMessage`, empty where it has none.
    """

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(f"{status} {error_type}: {message}")
        self.status = status
        self.error_type = error_type
        self.message = message


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer below 400: its status, its headers as sent, its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON value. Raises ValueError."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        found = {key.lower(): value for key, value in self.headers.items()}
        return found.get(name.lower())


class ApiCall:
    """A request that has been sent, and its answer when it comes."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._answer: ApiAnswer | ApiError | None = None

    @property
    def is_parked(self) -> bool:
        """Whether nothing has been answered."""
        return self._answer is None and not select.select([self._wire], [], [], 0.0)[0]

    def answer(self) -> ApiAnswer:
        """Wait for the answer. Raises ApiError for a refusal, TimeoutError after 10 s."""
        if self._answer is None:
            self._answer = self._receive()
        if isinstance(self._answer, ApiError):
            raise self._answer
        return self._answer

    def vanish(self) -> None:
        """Close the connection, as a client that dies."""
        self._connection.close()

    @property
    def _wire(self) -> socket.socket:
        wire = self._connection.sock
        if wire is None:
            raise RuntimeError("this call's connection is closed")
        return wire

    def _receive(self) -> ApiAnswer | ApiError:
        response = self._connection.getresponse()
        body = response.read()
        self._connection.close()
        if response.status < 400:
            return ApiAnswer(response.status, dict(response.getheaders()), body)
        try:
            error = json.loads(body)
        except ValueError:
            error = {"errorMessage": body.decode("utf-8", "replace")}
        return ApiError(response.status, error.get("errorType", ""), error["errorMessage"])


def call(
    address: str,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> ApiCall:
    """Send one request to `host:port`; raises OSError when nobody listens."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=ANSWER_SECONDS)
    connection.request(method, path, body=body, headers=dict(headers or {}))
    return ApiCall(connection)
