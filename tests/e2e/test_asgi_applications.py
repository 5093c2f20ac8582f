"""FastAPI and Starlette behind a Function URL, seen from curl, Python and a browser."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rapid_mock import LocalLambda, events
from tests.support.command_line import ROOT, Serving, write_code
from tests.support.processes import eventually

EXAMPLE = ROOT / "examples" / "fastapi_chat"
SDK = {"PYTHONPATH": str(ROOT)}
STREAMED = SDK | {"LAMBDA_RUNTIME_INVOKE_MODE": "RESPONSE_STREAM"}
FASTAPI = '''
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import BackgroundTasks, Cookie, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from lambda_runtime.asgi import asgi

HERE = Path(__file__).parent

@asynccontextmanager
async def lifespan(app):
    yield {"started": True}

app = FastAPI(lifespan=lifespan)
handler = asgi(app)

async def dependency():
    yield "dependency"
    print("dependency closed")

@app.get("/items/{item}")
def item(item: int, request: Request, depends: Annotated[str, Depends(dependency)], q: str = ""):
    return {
        "item": item, "q": q, "url": str(request.url), "client": request.client.host,
        "started": request.state.started, "depends": depends,
        "id": request.scope["aws.context"].aws_request_id,
    }

@app.post("/reversed")
async def backwards(request: Request):
    return Response((await request.body())[::-1], media_type="application/octet-stream")

@app.get("/cookies")
def cookies(response: Response, a: Annotated[str, Cookie()]):
    response.set_cookie("b", "2")
    response.set_cookie("c", "3")
    return a

@app.get("/away")
def away():
    return RedirectResponse("/elsewhere")

@app.get("/broken")
def broken():
    raise LookupError("oh no")

@app.get("/teapot")
def teapot():
    raise HTTPException(418, "short and stout")

@app.get("/later")
def later(background: BackgroundTasks):
    background.add_task(print, "in the background")
    return "now"

async def tokens():
    yield "first "
    while not (HERE / "continue").exists():
        await asyncio.sleep(0.002)
    yield "second"

@app.get("/tokens")
def stream():
    return StreamingResponse(tokens(), media_type="text/plain")

@app.post("/continue")
def go_on():
    (HERE / "continue").touch()

@app.post("/report")
async def report(request: Request):
    (HERE / "report").write_bytes(await request.body())

@app.get("/page")
def page():
    return HTMLResponse("""<script>
      (async () => {
        const words = (await fetch("tokens")).body.pipeThrough(new TextDecoderStream()).getReader();
        let all = (await words.read()).value;
        await fetch("continue", {method: "POST"});
        for (let word; !(word = await words.read()).done; ) all += word.value;
        await fetch("report", {method: "POST", body: all});
      })();
    </script>""")
'''
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from lambda_runtime.asgi import asgi

def where(request):
    return JSONResponse({"path": request.scope["path"], "url": str(request.url_for("where"))})

def query(request):
    return JSONResponse([request.query_params.multi_items(), request.headers.getlist("x-a")])

inner = Mount("/api", routes=[Route("/where", where, name="where")])
handler = asgi(Starlette(routes=[inner, Route("/query", query)]))
"""


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def local(log: io.BytesIO) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log) as running:
        yield running


@pytest.fixture
def url(local: LocalLambda, tmp_path: Path) -> str:
    """A buffered Function URL of the FastAPI application."""
    return serve(local, tmp_path)


@pytest.fixture
def stream_url(local: LocalLambda, tmp_path: Path) -> str:
    return serve(local, tmp_path, stream=True)


def serve(local: LocalLambda, folder: Path, *, stream: bool = False) -> str:
    code = write_code(folder / "code", FASTAPI)
    environment = STREAMED if stream else SDK
    web = local.create_function(
        "web", handler="app.handler", code=code, environment=environment, timeout=30, memory=512
    )
    return web.create_url(stream=stream).rstrip("/")


def curl(*arguments: str) -> str:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("mode", ["url", "stream_url"])
def test_a_fastapi_application(mode: str, request: pytest.FixtureRequest, log: io.BytesIO) -> None:
    """Parameters, validation, files, cookies, redirects, errors: the same buffered and streamed."""
    url = request.getfixturevalue(mode)
    item = json.loads(curl(f"{url}/items/7?q=%C3%A9"))
    assert (item["item"], item["q"], item["client"]) == (7, "\u00e9", "127.0.0.1")
    assert item["url"] == f"{url}/items/7?q=%C3%A9"
    assert (item["started"], item["depends"]) == (True, "dependency")
    assert f"START RequestId: {item['id']}" in log.getvalue().decode()
    assert curl("-w", "%{http_code}", "-o", os.devnull, f"{url}/items/seven") == "422"
    binary = bytes(range(256))
    assert post(url, "/reversed", binary) == binary[::-1]
    answer = curl("-i", "--cookie", "a=1; x=y", f"{url}/cookies")
    assert answer.endswith('"1"')
    assert answer.lower().count("set-cookie: ") == 2
    shown = curl("-o", os.devnull, "-w", "%{http_code} %{redirect_url}", f"{url}/away")
    assert shown == f"307 {url}/elsewhere"
    assert curl("-w", "%{http_code}", f"{url}/broken") == "Internal Server Error500"
    assert curl("-w", "%{http_code}", f"{url}/teapot") == '{"detail":"short and stout"}418'
    assert curl("-I", "-w", "%{http_code}", "-o", os.devnull, f"{url}/teapot") == "405"
    assert curl(f"{url}/later") == '"now"'
    text = log.getvalue().decode()
    assert "dependency closed" in text
    assert "LookupError: oh no" in text
    eventually(lambda: "in the background" in log.getvalue().decode(), "the background task")


def post(url: str, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("POST", path, body, {"content-type": "application/octet-stream"})
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_stream_seen_from_curl(stream_url: str) -> None:
    """The first token is at curl's output before the second is produced: the test allows it."""
    command = ["curl", "--silent", "--no-buffer", "--max-time", "20", f"{stream_url}/tokens"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        assert asking.stdout.read(6) == b"first "
        post(stream_url, "/continue", b"")
        assert asking.stdout.read() == b"second"
    assert asking.returncode == 0


def test_a_stream_through_a_buffered_url_is_joined(url: str) -> None:
    """Nobody sees a token before the last one is there."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(curl, f"{url}/tokens")
        post(url, "/continue", b"")
        assert answer.result(30) == "first second"


BROWSERS = ("chromium", "google-chrome", "chromium-browser", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.mark.skipif(BROWSER is None, reason="not run: there is no Chromium on PATH")
def test_a_stream_seen_from_a_browser(stream_url: str, tmp_path: Path) -> None:
    """A page gets the first token, and only by its own request is the second produced."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    browsing = subprocess.Popen(
        [BROWSER, *options, profile, "--remote-debugging-port=0", f"{stream_url}/page"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    report = tmp_path / "code" / "report"
    try:
        eventually(lambda: report.exists() and bool(report.read_text()), "the browser's report")
    finally:
        os.killpg(browsing.pid, signal.SIGKILL)
        browsing.wait()
    assert report.read_text() == "first second"


def test_starlette_behind_each_front_end(local: LocalLambda, tmp_path: Path) -> None:
    """Routes, mounts and URLs are right below a stage; queries and headers keep all values."""
    code = write_code(tmp_path / "code", STARLETTE)
    web = local.create_function("web", handler="app.handler", code=code, environment=SDK)

    def body(event: events.Event) -> Any:
        result = web.invoke(event).payload
        assert result["statusCode"] == 200, result
        return json.loads(result["body"])

    host = {"host": "h.example"}
    for event, root in [
        (events.function_url(path="/api/where", headers=host), ""),
        (events.api_gateway_v2(path="/api/where", headers=host, stage="test"), "/test"),
        (events.api_gateway_v1(path="/api/where", headers=host, stage="prod"), "/prod"),
        (events.alb(path="/api/where", headers=host), ""),
    ]:
        found = body(event)
        assert found["path"] == f"{root}/api/where"
        assert found["url"].endswith(f"://h.example{root}/api/where")
    query, twice = {"a": ["1", "2 3"], "b": "&"}, {"x-a": ["1", "2"]}
    expected = [["a", "1"], ["a", "2 3"], ["b", "&"]]
    v1 = events.api_gateway_v1(path="/query", query=query, headers=twice)
    assert body(v1) == [expected, ["1", "2"]]
    v2 = events.api_gateway_v2(path="/query", query=query, headers=twice)
    assert body(v2) == [expected, ["1,2"]]
    multi_value = events.alb(path="/query", query=query, headers=twice, multi_value=True)
    result = web.invoke(multi_value).payload
    assert json.loads(result["body"]) == [expected, ["1", "2"]]
    assert result["multiValueHeaders"]["content-type"] == ["application/json"]


OVERLAPPING = """
import asyncio, os
from fastapi import FastAPI
from lambda_runtime.asgi import asgi

app = FastAPI()
handler = asgi(app)
here, everybody = 0, asyncio.Event()

@app.get("/")
async def meet():
    global here
    here += 1
    if here == 8:
        everybody.set()
    await everybody.wait()
    return os.getpid()
"""


def test_overlapping_requests_in_one_environment(local: LocalLambda, tmp_path: Path) -> None:
    """On Lambda Managed Instances requests are tasks of one application in one process."""
    code = write_code(tmp_path / "code", OVERLAPPING)
    web = local.create_function(
        "web", handler="app.handler", code=code, environment=SDK, max_concurrency=8, memory=2048
    )
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(web.invoke, [events.function_url()] * 8))
    assert len({result.payload["body"] for result in results}) == 1


def test_an_application_that_cannot_start_in_a_worker(local: LocalLambda, tmp_path: Path) -> None:
    """There too it is an init error, with what the application raised."""
    source = """
from lambda_runtime import on_init
from lambda_runtime.asgi import asgi

handler = asgi(None, lifespan=False)

@on_init
async def connect():
    raise LookupError("no database")
"""
    code = write_code(tmp_path / "code", source)
    web = local.create_function(
        "web", handler="app.handler", code=code, environment=SDK, max_concurrency=2
    )
    error = web.invoke(events.function_url()).payload
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "no database")


# --- The example ------------------------------------------------------------------------------


def test_the_example(log: io.BytesIO) -> None:
    """Its page, its answer to its event, and its end, which Lambda tells it of."""
    event = json.loads((EXAMPLE / "event.json").read_text())
    with LocalLambda(log_stream=log) as local:
        chat = local.create_function(
            "chat", handler="app.handler", code=EXAMPLE, environment=SDK, memory=512
        )
        assert chat.invoke(event).payload == {
            "statusCode": 200,
            "headers": {"content-type": "text/plain; charset=utf-8"},
            "body": "You said: why is the sky not green ",
            "isBase64Encoded": False,
        }
        page = chat.invoke(events.function_url()).payload
        assert page["headers"]["content-type"] == "text/html; charset=utf-8"
        assert "<title>Chat</title>" in page["body"]
        assert chat.invoke(event | {"body": "{}"}).payload["statusCode"] == 422
    text = log.getvalue().decode()
    assert text.index("starting") < text.index("START")
    assert "answered why is the sky not green" in text
    assert text.endswith("ending\n")


def test_the_example_as_its_text_starts_it() -> None:
    """The command in the example's own words serves a stream, word by word."""
    arguments = ["--code", str(EXAMPLE), "--memory", "512", "--url", "stream"]
    mode = ["--env", "LAMBDA_RUNTIME_INVOKE_MODE=RESPONSE_STREAM"]
    with Serving("app.handler", *arguments, *mode) as serving:
        url = serving.log.partition("function URL ")[2].split()[0]
        reading = threading.Thread(target=serving.wait_for, args=["answered"])
        reading.start()
        request = ["-H", "content-type: application/json", "-d", '{"prompt": "one two"}']
        assert curl("--no-buffer", *request, f"{url}chat") == "You said: one two "
        reading.join(20)
        assert serving.stop() == 0
