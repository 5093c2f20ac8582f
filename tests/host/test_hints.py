"""Advice beside the last words of a process that failed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from rapid_mock.host.hints import HOSTS, hint
from tests.support.command_line import ROOT, write_executable

ADVICE = (
    "sandbox.localdomain does not resolve on this machine: add the line "
    '"127.0.0.1 sandbox.localdomain sandbox" to {}, or use --isolation namespace'
)
SOURCE = """#!/usr/bin/env python3
import http.client, os, socket
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("POST", "/2020-01-01/extension/register", '{"events": []}',
            {"Lambda-Extension-Name": "listener"})
api.getresponse().read()
socket.create_server(("sandbox.localdomain", 0))
"""


@pytest.mark.parametrize(
    "words",
    [
        "  bind(('sandbox', 1))\nsocket.gaierror: [Errno -2] Name or service not known",
        "Error: getaddrinfo ENOTFOUND sandbox.localdomain",
        "listen tcp: lookup sandbox.localdomain: no such host",
        "http://sandbox:1: failed to lookup address information: Name or service not known",
    ],
)
def test_a_name_without_an_address(words: str, tmp_path: Path) -> None:
    """Whatever the language, one sentence says how to make it resolve."""
    hosts = tmp_path / "hosts"
    assert hint(words, hosts) == ADVICE.format(hosts)
    hosts.write_text("127.0.0.1 localhost sandbox.localdomain\n")
    assert hint(words, hosts) is None


def test_other_last_words(tmp_path: Path) -> None:
    """A failure of another kind, or to resolve another name, gets no advice."""
    assert hint("ValueError: sandbox", tmp_path / "hosts") is None
    assert hint("api.example.com: Name or service not known", tmp_path / "hosts") is None


@pytest.mark.skipif("sandbox.localdomain" in HOSTS.read_text(), reason="the name resolves here")
def test_an_extension_that_listens_on_lambdas_name(tmp_path: Path) -> None:
    """Its failure is told with its last words, and the advice below them."""
    log = io.BytesIO()
    program = write_executable(tmp_path / "listener", SOURCE)
    with LocalLambda(log_stream=log) as local:
        code = ROOT / "examples" / "hello"
        function = local.create_function(
            "f", handler="app.handler", code=code, extensions=[program]
        )
        assert function.invoke({}).function_error == "Unhandled"
    told = log.getvalue().decode()
    assert f"rapid-mock: {ADVICE.format('/etc/hosts')}\n" in told
