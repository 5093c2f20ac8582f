"""Bad clients at each listener of a running `rapid-mock start`, and machines that lack something.

Whatever a client does, it gets AWS's answer or a closed connection, nobody else is affected, the
next invocation works, and nothing is left behind.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.command_line import COMMAND, ROOT, Serving, write_code
from tests.support.processes import eventually
from tests.support.raw_http import RawClient

HANDLER = """
import os, subprocess, sys

def handler(event, context):
    if event == "leave a child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        return child.pid
    return os.environ["AWS_LAMBDA_RUNTIME_API"]
"""
INVOKE = "/2015-03-31/functions/function/invocations"
PATHS = {"invoke": INVOKE, "runtime": "/2018-06-01/runtime/init/error", "url": "/any/path"}
BROKEN_OFF = {"invoke": b"", "runtime": b"HTTP/1.1 400 ", "url": b""}
"""What a half-closed client reads whose body is not complete; the Runtime API's answer is RIE's."""
NAMESPACE = ("unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c")


WITHOUT_PROC = """
mount -t tmpfs none /proc && "$@"
code=$?
kill -0 -1 && echo left
exit $code
"""


class World(NamedTuple):
    """A server with one warm environment."""

    serving: Serving
    invoke: tuple[str, int]
    runtime: tuple[str, int]
    url: tuple[str, int]

    def listener(self, name: str) -> tuple[str, int]:
        return {"invoke": self.invoke, "runtime": self.runtime, "url": self.url}[name]


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def invoke(url: str, event: object = None) -> object:
    request = urllib.request.Request(url + INVOKE, json.dumps(event).encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    code = write_code(tmp_path_factory.mktemp("code"), HANDLER)
    with Serving("app.handler", "--code", str(code), "--timeout", "20", "--url") as serving:
        runtime = str(invoke(serving.url))
        found = re.search(r"function URL http://.*:(\d+)", serving.log)
        assert found is not None
        url = ("127.0.0.1", int(found[1]))
        yield World(serving, address(serving.url.partition("//")[2]), address(runtime), url)


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


ATTACKS: dict[str, tuple[Callable[[str], bytes], int]] = {
    "garbage": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
    "bare LF": (
        lambda p: f"POST {p} HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{{}}".encode(),
        400,
    ),
    "content length and chunks": (
        lambda p: (
            head(p, "Content-Length: 2", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"
        ),
        400,
    ),
    "two content lengths": (
        lambda p: head(p, "Content-Length: 2", "Content-Length: 3") + b"{} ",
        400,
    ),
    "10,000 header lines": (
        lambda p: head(p, *(f"X-{n}: {'y' * 120}" for n in range(10_000))),
        431,
    ),
    "chunk size that is no number": (
        lambda p: head(p, "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    "unknown version": (lambda p: f"POST {p} HTTP/3.7\r\nHost: localhost\r\n\r\n".encode(), 400),
    "no Host": (lambda p: f"POST {p} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode(), 400),
    "foreign Host": (
        lambda p: f"POST {p} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n".encode(),
        403,
    ),
    "foreign absolute target": (
        lambda p: f"POST http://evil.example{p} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        403,
    ),
    "foreign Origin": (
        lambda p: head(p, "Origin: https://evil.example", "Content-Length: 0"),
        403,
    ),
    "cross-site fetch": (lambda p: head(p, "Sec-Fetch-Site: cross-site", "Content-Length: 0"), 403),
}


@pytest.mark.parametrize("listener", PATHS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_bad_request_is_refused(world: World, attack: str, listener: str) -> None:
    """The guilty gets its status at each listener; the next invocation works.

    Function URLs are for every host name and for web pages of other sites.
    """
    make, status = ATTACKS[attack]
    if status == 403 and listener == "url":
        status = 200
    with RawClient(world.listener(listener)) as client:
        client.send_what_fits(make(PATHS[listener]))
        assert client.answer().startswith(b"HTTP/1.1 %d " % status)
    assert invoke(world.serving.url) == "{}:{}".format(*world.runtime)


@pytest.mark.parametrize("listener", PATHS)
def test_body_that_breaks_off_or_crawls_costs_nobody(world: World, listener: str) -> None:
    """One client sends a byte now and then, others vanish in the middle: all else goes on."""
    begun = head(PATHS[listener], "Content-Length: 100") + b"{"
    with (
        RawClient(world.listener(listener)) as crawling,
        RawClient(world.listener(listener)) as half,
    ):
        crawling.send(begun)
        half.send(begun).socket.shutdown(1)
        gone = RawClient(world.listener(listener)).send(begun)
        gone.reset_on_close()
        gone.socket.close()
        for _ in range(5):
            crawling.send(b" ")
            assert invoke(world.serving.url) == "{}:{}".format(*world.runtime)
        assert half.read_to_end()[:13] == BROKEN_OFF[listener]


def test_many_idle_connections_and_no_descriptor_left(world: World) -> None:
    """200 connections at each listener say nothing: invocations go on, and no file stays open."""
    before = descriptors(world.serving.pid)
    idle = [RawClient(world.listener(name)) for name in PATHS for _ in range(200)]
    assert invoke(world.serving.url) == "{}:{}".format(*world.runtime)
    for each in idle:
        each.socket.close()
    eventually(lambda: descriptors(world.serving.pid) <= before, "all descriptors closed")


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def test_everything_works_without_proc(tmp_path: Path) -> None:
    """Where /proc is hidden, an invocation works, has its REPORT, and nothing survives."""
    if (
        shutil.which("unshare") is None
        or subprocess.run([*NAMESPACE, "true"], check=False).returncode
    ):
        pytest.skip("no namespaces: /proc cannot be hidden")
    code = write_code(tmp_path / "code", HANDLER)
    command = [*COMMAND, "invoke", "app.handler", "--code", str(code), "-e", '"leave a child"']
    done = subprocess.run(
        [*NAMESPACE, WITHOUT_PROC, "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "left" not in done.stdout
    assert re.search(r"^REPORT RequestId: .*Max Memory Used: \d+ MB", done.stderr, re.MULTILINE)
