"""Instrumentation libraries as they are published, unmodified, under `python -m lambda_runtime`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.peers import CACHE, require_network
from tests.support.runtime_programs import Finished, body_of, event, served
from tests.support.scripted_runtime_api import ROOT

LIBRARIES = (
    "apig-wsgi==2.20.0",
    "aws-lambda-powertools==3.37.0",
    "aws-xray-sdk==2.15.0",
    "datadog-lambda==8.130.0",
    "mangum==0.22.0",
    "opentelemetry-instrumentation-aws-lambda==0.66b1",
    "opentelemetry-sdk==1.45.1",
    "sentry-sdk==2.75.0",
)
INSTALL_SECONDS = 280

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

TRACE_ID = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello"
HTTP_EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/path",
    "rawQueryString": "",
    "headers": {"host": "example.com"},
    "requestContext": {
        "http": {
            "method": "GET",
            "path": "/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
        },
        "domainName": "example.com",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


@pytest.fixture(scope="module")
def libraries() -> Path:
    """A folder with the libraries, fetched once and kept in the cache."""
    require_network()
    wanted = "\n".join([*LIBRARIES, sys.version]).encode()
    target = CACHE / f"instrumentation-{hashlib.sha256(wanted).hexdigest()[:12]}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            staged = Path(scratch) / "site"
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(staged)]
            subprocess.run([*command, *LIBRARIES], check=True, timeout=INSTALL_SECONDS)
            staged.rename(target)
    return target


def instrumented(
    libraries: Path, folder: Path, program: str, body: object = None, **environment: str
) -> Finished:
    """Two invocations of `program` with the environment of a function."""
    deadline = int((time.time() + 30) * 1000)
    headers = [
        f"Lambda-Runtime-Deadline-Ms: {deadline}",
        f"Lambda-Runtime-Invoked-Function-Arn: {ARN}",
        f"Lambda-Runtime-Trace-Id: {TRACE_ID}",
    ]
    encoded = json.dumps(body or {}).encode()
    events = [event(encoded, *headers, request_id=f"request-{n}") for n in (1, 2)]
    function = {
        "AWS_LAMBDA_FUNCTION_NAME": "hello",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hello",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": "us-east-1",
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": str(folder),
        "HOME": str(folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{libraries}",
    }
    return served(folder, program, *events, **function, **environment)


def bodies(finished: Finished) -> list[object]:
    return [json.loads(body_of(post)) for post in finished.posted]


def test_sentry(libraries: Path, tmp_path: Path) -> None:
    """AwsLambdaIntegration sees what a handler raises, with its request id."""
    program = (
        "import sentry_sdk\n"
        "from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration\n"
        "def seen(event, hint):\n"
        "    error = event['exception']['values'][-1]['type']\n"
        "    print('SENTRY', error, event['extra']['lambda']['aws_request_id'])\n"
        "sentry_sdk.init(dsn='http://key@127.0.0.1:9/1', before_send=seen,\n"
        "    integrations=[AwsLambdaIntegration()], auto_session_tracking=False)\n"
        "def handler(event, context): raise ValueError('x')\n"
    )
    finished = instrumented(libraries, tmp_path, program)
    assert "SENTRY ValueError request-1\n" in finished.stdout
    assert "SENTRY ValueError request-2\n" in finished.stdout
    assert "AWS Lambda integration" not in finished.stderr


def test_datadog(libraries: Path, tmp_path: Path) -> None:
    """The wrapper runs, and log records carry the request id and the trace."""
    program = (
        "import logging\n"
        "from datadog_lambda.wrapper import datadog_lambda_wrapper\n"
        "log = logging.getLogger()\n"
        "log.setLevel('INFO')\n"
        "@datadog_lambda_wrapper\n"
        "def handler(event, context):\n"
        "    log.info('from the handler')\n"
        "    return 1\n"
    )
    finished = instrumented(
        libraries,
        tmp_path,
        program,
        DD_FLUSH_TO_LOG="true",
        DD_LOGS_INJECTION="true",
        DD_LOCAL_TEST="true",
        DD_API_KEY="key",
    )
    assert bodies(finished) == [1, 1]
    line = r"\[INFO\]\t\S+Z\trequest-2\t\[dd\.trace_id=\w+ dd\.span_id=\w+\]\tfrom the handler"
    assert re.search(line, finished.stdout)


def test_opentelemetry(libraries: Path, tmp_path: Path) -> None:
    """A span with the function's ARN and request id surrounds each invocation."""
    program = (
        "from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "spans = InMemorySpanExporter()\n"
        "provider = TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(spans))\n"
        "def handler(event, context):\n"
        "    return [[s.name, s.attributes['faas.invocation_id']]\n"
        "            for s in spans.get_finished_spans()]\n"
        "AwsLambdaInstrumentor().instrument(tracer_provider=provider)\n"
    )
    finished = instrumented(libraries, tmp_path, program)
    assert bodies(finished)[0] == []
    assert bodies(finished)[1] == [["hello", "request-1"]]


def test_powertools(libraries: Path, tmp_path: Path) -> None:
    """Logger and Metrics write each JSON line once."""
    program = (
        "from aws_lambda_powertools import Logger, Metrics\n"
        "logger, metrics = Logger(service='s'), Metrics(namespace='n', service='s')\n"
        "@logger.inject_lambda_context\n"
        "@metrics.log_metrics\n"
        "def handler(event, context):\n"
        "    logger.info('hello')\n"
        "    metrics.add_metric(name='m', unit='Count', value=1)\n"
        "    return 2\n"
    )
    finished = instrumented(libraries, tmp_path, program, POWERTOOLS_LOG_LEVEL="INFO")
    assert bodies(finished) == [2, 2]
    records = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [record.get("function_request_id") for record in records] == [
        *("request-1", None, "request-2", None),
    ]
    assert [record["m"] for record in records if "m" in record] == [[1.0], [1.0]]


def test_xray(libraries: Path, tmp_path: Path) -> None:
    """The recorder takes the trace of the present invocation from the environment."""
    program = (
        "from aws_xray_sdk.core import xray_recorder\n"
        "def handler(event, context):\n"
        "    with xray_recorder.in_subsegment('part') as part: return part.trace_id\n"
    )
    finished = instrumented(libraries, tmp_path, program)
    assert bodies(finished) == 2 * ["1-5bef4de7-ad49b0e87f6ef6c87fc2e700"]


def test_mangum(libraries: Path, tmp_path: Path) -> None:
    """An ASGI application answers, on a loop of Mangum's own."""
    program = (
        "from mangum import Mangum\n"
        "async def app(scope, receive, send):\n"
        "    body = scope['aws.context'].aws_request_id.encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
        "handler = Mangum(app, lifespan='off')\n"
    )
    answers = bodies(instrumented(libraries, tmp_path, program, HTTP_EVENT))
    assert [answer["body"] for answer in answers] == [  # type: ignore[index]
        *("request-1", "request-2"),
    ]


def test_apig_wsgi(libraries: Path, tmp_path: Path) -> None:
    """A WSGI application answers."""
    program = (
        "from apig_wsgi import make_lambda_handler\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('content-type', 'text/plain')])\n"
        "    return [environ['apig_wsgi.context'].aws_request_id.encode()]\n"
        "handler = make_lambda_handler(app)\n"
    )
    answers = bodies(instrumented(libraries, tmp_path, program, HTTP_EVENT))
    assert [answer["body"] for answer in answers] == [  # type: ignore[index]
        *("request-1", "request-2"),
    ]
