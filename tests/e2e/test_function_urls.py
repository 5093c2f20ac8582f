"""Function URLs: made with boto3, asked over HTTP."""

from __future__ import annotations

import base64
import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rapid_mock import Function, LocalLambda
from tests.support.command_line import ROOT, Serving, write_code

HANDLER = """
import json

def handler(event, context):
    if "fail" in event["rawPath"]:
        raise RuntimeError("no")
    if event["rawPath"] == "/said":
        return json.loads(event["body"])
    return event
"""
STREAMING = """
from lambda_runtime import HttpResponse
import threading

def handler(event, context):
    if event["rawPath"] == "/plain":
        yield b"one "
        yield b"two"
        return
    yield HttpResponse(201, {"Content-Type": "text/event-stream", "X-One": "1"}, cookies=["a=b"])
    yield "first\\n"
    if event["rawPath"] == "/broken":
        raise RuntimeError("half way")
    yield "second\\n"
"""


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def ask(
    url: str, method: str = "GET", path: str = "/", body: bytes | None = None, **headers: str
) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    try:
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def local(log: io.BytesIO) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log) as running:
        yield running


@pytest.fixture
def function(local: LocalLambda, tmp_path: Path) -> Function:
    code = write_code(tmp_path / "code", HANDLER)
    return local.create_function("web", handler="app.handler", code=code)


@pytest.fixture
def url(function: Function) -> str:
    return function.create_url()


def test_the_event_is_payload_format_2(url: str) -> None:
    """Path and query as they came, headers in lower case and joined, cookies apart."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.putrequest("POST", "/a%20b/c?x=1&y=%C3%A9&x=2&empty=")
    for name, value in [
        ("Content-Type", "application/json"),
        ("Cookie", "a=1; b=2"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("User-Agent", "test"),
        ("Content-Length", "7"),
    ]:
        connection.putheader(name, value)
    connection.endheaders(b'{"n":1}')
    event = json.loads(connection.getresponse().read())
    connection.close()
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert (event["rawPath"], event["rawQueryString"]) == (
        "/a%20b/c",
        "x=1&y=%C3%A9&x=2&empty=",
    )
    assert event["queryStringParameters"] == {"x": "1,2", "y": "é", "empty": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-twice"] == "1,2"
    assert (event["body"], event["isBase64Encoded"]) == ('{"n":1}', False)
    context = event["requestContext"]
    assert context["accountId"] == "anonymous"
    assert context["http"]["method"] == "POST"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["http"]["userAgent"] == "test"
    assert len(context["apiId"]) == 32
    assert context["domainName"] == urlsplit(url).netloc
    assert context["timeEpoch"] > 1_700_000_000_000


@pytest.mark.parametrize(
    ("content_type", "body", "text", "is_base64"),
    [
        ("text/plain", b"hi", "hi", False),
        ("application/xml", b"<a/>", "<a/>", False),
        ("image/png", b"\x89PNG", base64.b64encode(b"\x89PNG").decode(), True),
        ("multipart/form-data; boundary=x", b"--x", base64.b64encode(b"--x").decode(), True),
        ("text/plain", b"\xff", base64.b64encode(b"\xff").decode(), True),
    ],
)
def test_bodies_that_are_no_text_come_in_base64(
    url: str, content_type: str, body: bytes, text: str, is_base64: bool
) -> None:
    """By their content type; what says it is text and is not, too."""
    event = json.loads(ask(url, "POST", body=body, Content_Type=content_type).body)
    assert (event["body"], event["isBase64Encoded"]) == (text, is_base64)


RESULTS: list[tuple[Any, int, bytes]] = [
    ({"statusCode": 201, "body": "made"}, 201, b"made"),
    ({"statusCode": "404"}, 404, b""),
    ({"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}, 200, b"hi"),
    ({"hello": "world"}, 200, b'{"hello":"world"}'),
    (["hello", 3, True], 200, b'["hello",3,true]'),
    (3, 200, b"3"),
    ("hello", 200, b"hello"),
    ({"body": "body123"}, 200, b"body123"),
    ({"statusCode": "x"}, 502, b"Internal Server Error"),
    ({"statusCode": 200, "body": {"a": 1}}, 502, b"Internal Server Error"),
    ({"statusCode": 200, "headers": "x"}, 502, b"Internal Server Error"),
    ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, 502, b"Internal Server Error"),
]


@pytest.mark.parametrize(("result", "status", "body"), RESULTS, ids=str)
def test_results_become_responses(url: str, result: Any, status: int, body: bytes) -> None:
    """With a status code as an HTTP response, without as JSON; what is neither is 502."""
    answer = ask(url, "POST", "/said", json.dumps(result).encode(), Content_Type="application/json")
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-amzn-RequestId"]


MALFORMED: list[tuple[Any, str]] = [
    ({"statusCode": "x"}, 'statusCode is "x"'),
    ({"statusCode": 200, "body": {"a": 1}}, "body is no text"),
    ({"statusCode": 200, "headers": "x"}, "headers must be an object and cookies a list"),
    ({"statusCode": 200, "headers": {"x": [1]}}, "a header, or a cookie, is [1]"),
    ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "body is no base64"),
]


@pytest.mark.parametrize(("result", "why"), MALFORMED, ids=str)
def test_what_is_no_response_is_explained(url: str, log: io.BytesIO, result: Any, why: str) -> None:
    """The caller gets 502, the developer the reason in one sentence."""
    body = json.dumps(result).encode()
    assert ask(url, "POST", "/said", body, Content_Type="application/json").status == 502
    sentence = f"rapid-mock: the response of web to its function URL: 502, for {why}\n"
    assert sentence in log.getvalue().decode()


def test_an_invoke_mode_that_does_not_fit_is_explained(
    local: LocalLambda, log: io.BytesIO, tmp_path: Path
) -> None:
    """A stream through a buffered URL, one result through a streaming one, a head that is none."""

    def serve(name: str, source: str, *, stream: bool) -> Answer:
        code = write_code(tmp_path / name, source)
        made = local.create_function(name, handler="app.handler", code=code)
        return ask(made.create_url(stream=stream))

    assert serve("streams", STREAMING, stream=False).status == 502
    result = "def handler(event, context): return {'statusCode': 201}\n"
    whole = serve("whole", result, stream=True)
    assert (whole.status, whole.body) == (200, b'{"statusCode": 201}')
    head = (
        "from lambda_runtime import ResponseStream\n"
        "KIND = 'application/vnd.awslambda.http-integration-response'\n"
        "def handler(event, context): return ResponseStream(['?' + chr(0) * 8, 'x'], KIND)\n"
    )
    assert serve("headless", head, stream=True).status == 502
    told = log.getvalue().decode()
    for name, why in [
        ("streams", "502, for it is a stream, and the URL's InvokeMode is BUFFERED"),
        ("whole", "it is one JSON object, sent as it is: the URL's InvokeMode is RESPONSE_STREAM"),
        ("headless", "502, for it is a stream whose head is no JSON object"),
    ]:
        assert f"rapid-mock: the response of {name} to its function URL: {why}" in told


def test_headers_and_cookies(url: str) -> None:
    """Headers as the function says them, one Set-Cookie for each cookie."""
    result = {
        "statusCode": 200,
        "headers": {"content-type": "text/html", "X-Number": 7},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "<p>",
    }
    answer = ask(url, "POST", "/said", json.dumps(result).encode(), Content_Type="text/plain")
    assert answer.headers.get_all("Content-Type") == ["text/html"]
    assert answer.headers["X-Number"] == "7"
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Secure", "b=2"]


def test_a_failed_function_is_a_bad_gateway(url: str) -> None:
    """502, and nothing of the error."""
    answer = ask(url, path="/fail")
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_streams_flow(local: LocalLambda, tmp_path: Path) -> None:
    """The prelude is the head; each chunk leaves when it is written."""
    code = write_code(tmp_path / "code", STREAMING)
    url = local.create_function("s", handler="app.handler", code=code).create_url(stream=True)
    answer = ask(url)
    assert (answer.status, answer.body) == (201, b"first\nsecond\n")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["X-One"] == "1"
    assert answer.headers["Set-Cookie"] == "a=b"
    plain = ask(url, path="/plain")
    assert (plain.status, plain.body) == (200, b"one two")
    assert plain.headers["Content-Type"] == "application/octet-stream"
    with pytest.raises(http.client.IncompleteRead):
        ask(url, path="/broken")


def test_a_function_that_does_not_stream(local: LocalLambda, tmp_path: Path) -> None:
    """With RESPONSE_STREAM its payload is the body as it stands."""
    code = write_code(tmp_path / "code", "def handler(event, context):\n    return {'a': 1}\n")
    url = local.create_function("s", handler="app.handler", code=code).create_url(stream=True)
    assert json.loads(ask(url).body) == {"a": 1}


CORS = {
    "AllowOrigins": ["https://example.com"],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["x-one"],
    "ExposeHeaders": ["x-two"],
    "MaxAge": 60,
    "AllowCredentials": True,
}


def test_the_api_of_urls(local: LocalLambda, function: Function) -> None:
    """Create, get, update, list, delete; a second one and a missing one in AWS's words."""
    client = local.client("lambda")
    name = {"FunctionName": function.name}
    made = client.create_function_url_config(**name, AuthType="NONE", Cors=CORS)
    assert made["InvokeMode"] == "BUFFERED"
    assert "LastModifiedTime" not in made
    with pytest.raises(client.exceptions.ResourceConflictException) as conflict:
        client.create_function_url_config(**name, AuthType="NONE")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:web"
    assert conflict.value.response["Error"]["Message"] == (
        f"Failed to create function url config for [functionArn = {arn}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function"
    )
    shown = client.get_function_url_config(**name)
    assert (shown["FunctionUrl"], shown["Cors"]) == (made["FunctionUrl"], CORS)
    changed = client.update_function_url_config(**name, AuthType="AWS_IAM", Cors={})
    assert (changed["AuthType"], changed.get("Cors")) == ("AWS_IAM", None)
    forbidden = ask(made["FunctionUrl"])
    assert (forbidden.status, forbidden.headers["x-amzn-ErrorType"]) == (
        403,
        "AccessDeniedException",
    )
    signed = ask(made["FunctionUrl"], Authorization="AWS4-HMAC-SHA256 ...")
    assert json.loads(signed.body)["requestContext"]["accountId"] == "123456789012"
    listed = client.list_function_url_configs(**name)["FunctionUrlConfigs"]
    assert [each["FunctionUrl"] for each in listed] == [made["FunctionUrl"]]
    client.delete_function_url_config(**name)
    with pytest.raises(ConnectionRefusedError):
        ask(made["FunctionUrl"])
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.get_function_url_config(**name)
    assert missing.value.response["Error"]["Message"] == (
        "The resource you requested does not exist."
    )


def test_web_pages_of_other_sites(local: LocalLambda, function: Function) -> None:
    """Preflight is answered by the service, and its headers take the place of the function's."""
    client = local.client("lambda")
    url = client.create_function_url_config(FunctionName=function.name, AuthType="NONE", Cors=CORS)[
        "FunctionUrl"
    ]
    asked = {"Origin": "https://example.com", "Access_Control_Request_Method": "POST"}
    preflight = ask(url, "OPTIONS", "/", None, **asked)
    assert preflight.status == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://example.com"
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,POST"
    assert preflight.headers["Access-Control-Allow-Headers"] == "x-one"
    assert preflight.headers["Access-Control-Max-Age"] == "60"
    result = {"statusCode": 200, "headers": {"access-control-allow-origin": "*"}}
    answer = ask(
        url,
        "POST",
        "/said",
        json.dumps(result).encode(),
        Origin="https://example.com",
        Content_Type="application/json",
    )
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["https://example.com"]
    assert answer.headers["Access-Control-Expose-Headers"] == "x-two"
    stranger = ask(url, Origin="https://evil.example")
    assert stranger.headers["Access-Control-Allow-Origin"] is None


def test_an_alias_has_a_url_of_its_own(local: LocalLambda, function: Function) -> None:
    """The qualifier is an alias; `$LATEST` and numbers are refused, as is one that is not there."""
    client = local.client("lambda")
    client.publish_version(FunctionName=function.name)
    client.create_alias(FunctionName=function.name, Name="live", FunctionVersion="1")
    made = client.create_function_url_config(
        FunctionName=function.name, Qualifier="live", AuthType="NONE"
    )
    assert made["FunctionArn"].endswith(":function:web:live")
    assert ask(made["FunctionUrl"]).status == 200
    for wrong in ("1", "$LATEST"):
        with pytest.raises(client.exceptions.ClientError) as refused:
            client.get_function_url_config(FunctionName=function.name, Qualifier=wrong)
        assert refused.value.response["Error"]["Code"] in (
            "ValidationException",
            "InvalidParameterValueException",
        )
    client.delete_function(FunctionName=function.name)
    with pytest.raises(ConnectionRefusedError):
        ask(made["FunctionUrl"])


def test_the_command_serves_a_url() -> None:
    """`--url` prints where one function is served; any host name will do."""
    code = str(ROOT / "examples" / "hello")
    with Serving("app.handler", "--code", code, "--url") as serving:
        url = serving.log.partition("function URL ")[2].split()[0]
        answer = ask(url, path="/hello?name=Ada", Host="whatever.example")
        assert answer.status == 200
        assert serving.stop() == 0
