"""`lambda_runtime.asgi`: what an application sees of an event, and what becomes of its response.

Events and results are those of "Invoking Lambda function URLs", "AWS Lambda proxy integrations for
HTTP APIs", "Lambda functions as targets" (Elastic Load Balancing); scopes are the ASGI
specification's.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest

from lambda_runtime import HttpResponse, LambdaContext, current, hooks
from lambda_runtime.asgi import asgi
from lambda_runtime.http_events import NotAnHttpEvent

CONTEXT = cast("LambdaContext", object())
FUNCTION_URL: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/my/path%20two",
    "rawQueryString": "parameter1=value1&parameter1=value2&flag&x=%C3%A9",
    "cookies": ["cookie1=a", "cookie2=b"],
    "headers": {
        "header1": "value1",
        "header2": "value1,value2",
        "host": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-west-2.on.aws",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
    },
    "requestContext": {
        "accountId": "anonymous",
        "apiId": "abcdefghijklmnopqrstuvwxyz012345",
        "domainName": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-west-2.on.aws",
        "domainPrefix": "abcdefghijklmnopqrstuvwxyz012345",
        "http": {
            "method": "POST",
            "path": "/my/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "agent",
        },
        "requestId": "id",
        "routeKey": "$default",
        "stage": "$default",
        "time": "12/Mar/2020:19:03:58 +0000",
        "timeEpoch": 1583348638390,
    },
    "body": "Hello from client!",
    "isBase64Encoded": False,
}
HTTP_API = copy.deepcopy(FUNCTION_URL)
HTTP_API["requestContext"] |= {"apiId": "r3pmxmplak", "stage": "test"}
HTTP_API["rawPath"] = "/test/my/path"
REST_API: dict[str, Any] = {
    "resource": "/my/path",
    "path": "/my/path",
    "httpMethod": "POST",
    "headers": {"Header1": "value1", "Header2": "value2", "Host": "id.execute-api.example"},
    "multiValueHeaders": {
        "Header1": ["value1"],
        "Header2": ["value1", "value2"],
        "Host": ["id.execute-api.example"],
    },
    "queryStringParameters": {"parameter1": "value2", "parameter2": "a b&c"},
    "multiValueQueryStringParameters": {
        "parameter1": ["value1", "value2"],
        "parameter2": ["a b&c"],
    },
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "r3pmxmplak",
        "identity": {"sourceIp": "2001:db8::7", "userAgent": "user-agent"},
        "httpMethod": "POST",
        "path": "/prod/my/path",
        "stage": "prod",
    },
    "pathParameters": None,
    "stageVariables": None,
    "body": "aGk=",
    "isBase64Encoded": True,
}
LOAD_BALANCER: dict[str, Any] = {
    "requestContext": {
        "elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/l/4"
        }
    },
    "httpMethod": "GET",
    "path": "/lambda",
    "queryStringParameters": {"query": "1234ABCD%20E", "empty": ""},
    "headers": {
        "accept-encoding": "gzip",
        "cookie": "a=1; b=2",
        "host": "lambda-alb-123578498.us-east-2.elb.amazonaws.com",
        "x-forwarded-for": "198.51.100.9, 72.12.164.125",
        "x-forwarded-port": "80",
        "x-forwarded-proto": "http",
    },
    "body": "",
    "isBase64Encoded": False,
}
MULTI_VALUE = {
    name: value
    for name, value in LOAD_BALANCER.items()
    if name not in ("headers", "queryStringParameters")
}
MULTI_VALUE["multiValueHeaders"] = {"host": ["alb"], "x-twice": ["1", "2"]}
MULTI_VALUE["multiValueQueryStringParameters"] = {"myKey": ["val1", "val%2C2"]}

Headers = list[tuple[bytes, bytes]]
TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]


@pytest.fixture(autouse=True)
def no_hooks_are_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hooks, "_init_hooks", [])
    yield
    current.pending.clear()


class Recorder:
    """An application that answers as it is told, and keeps what it saw."""

    def __init__(self, status: int = 200, headers: Headers = TEXT, body: bytes = b"ok") -> None:
        self.scope: Any = None
        self.body = b""
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise AssertionError
        self.scope, self.body = scope, (await receive())["body"]
        await send(self._start)
        await send(self._body)


def seen(event: dict[str, Any], **options: Any) -> Recorder:
    """What an application sees of an event."""
    app = Recorder()
    asyncio.run(asgi(app, **options)(event, CONTEXT))
    return app


def answered(
    event: dict[str, Any], status: int = 200, headers: Headers = TEXT, body: bytes = b"ok"
) -> Any:
    """The result that a response becomes."""
    return asyncio.run(asgi(Recorder(status, headers, body))(event, CONTEXT))


# --- Events -----------------------------------------------------------------------------------


def test_a_function_url() -> None:
    """Path decoded and raw, the query as it came, cookies in their header, the caller's address."""
    app = seen(FUNCTION_URL)
    assert app.scope.pop("aws.event") is FUNCTION_URL
    assert app.scope.pop("aws.context") is CONTEXT
    assert app.scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/my/path two",
        "raw_path": b"/my/path%20two",
        "root_path": "",
        "query_string": b"parameter1=value1&parameter1=value2&flag&x=%C3%A9",
        "headers": [
            (b"header1", b"value1"),
            (b"header2", b"value1,value2"),
            (b"host", b"abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-west-2.on.aws"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-port", b"443"),
            (b"cookie", b"cookie1=a; cookie2=b"),
        ],
        "client": ("192.0.2.1", 0),
        "server": ("abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-west-2.on.aws", 443),
        "state": {},
    }
    assert app.body == b"Hello from client!"


def test_a_rest_api() -> None:
    """All values of a header and of a parameter; the stage is where the application is mounted."""
    app = seen(REST_API)
    assert app.scope["method"] == "POST"
    assert (app.scope["path"], app.scope["root_path"]) == ("/prod/my/path", "/prod")
    assert app.scope["query_string"] == b"parameter1=value1&parameter1=value2&parameter2=a+b%26c"
    assert app.scope["headers"] == [
        (b"header1", b"value1"),
        (b"header2", b"value1"),
        (b"header2", b"value2"),
        (b"host", b"id.execute-api.example"),
    ]
    assert app.scope["client"] == ("2001:db8::7", 0)
    assert app.scope["scheme"] == "https"
    assert app.body == b"hi"


def test_a_load_balancer() -> None:
    """The query as encoded as the balancer left it; the last forwarder's word on the caller."""
    app = seen(LOAD_BALANCER)
    assert app.scope["query_string"] == b"query=1234ABCD%20E&empty="
    assert app.scope["client"] == ("72.12.164.125", 0)
    assert (app.scope["path"], app.scope["root_path"]) == ("/lambda", "")
    assert app.scope["scheme"] == "http"
    assert app.scope["server"] == ("lambda-alb-123578498.us-east-2.elb.amazonaws.com", 80)
    assert (b"cookie", b"a=1; b=2") in app.scope["headers"]
    assert app.body == b""


def test_a_load_balancer_with_multi_value_headers() -> None:
    """All values, each in a pair of its own."""
    app = seen(MULTI_VALUE)
    assert app.scope["headers"] == [(b"host", b"alb"), (b"x-twice", b"1"), (b"x-twice", b"2")]
    assert app.scope["query_string"] == b"myKey=val1&myKey=val%2C2"
    assert app.scope["client"] is None


def test_a_health_check_has_no_host() -> None:
    """An event without a host header has no server, and does not fail."""
    app = seen(LOAD_BALANCER | {"headers": {"user-agent": "ELB-HealthChecker/2.0"}})
    assert app.scope["server"] is None


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.7:4711", ("203.0.113.7", 4711)),
        ("10.0.0.1, [2001:db8::7]:4711", ("2001:db8::7", 4711)),
        ("2001:db8::7", ("2001:db8::7", 0)),
        ("2001:db8::7:80", ("2001:db8::7:80", 0)),
        ("", None),
    ],
)
def test_the_caller_behind_a_load_balancer(forwarded: str, client: tuple[str, int] | None) -> None:
    """With and without the port that `xff_client_port` adds."""
    app = seen(LOAD_BALANCER | {"headers": {"x-forwarded-for": forwarded}})
    assert app.scope["client"] == client


def rest(path: str, whole: str, **more: Any) -> dict[str, Any]:
    return REST_API | {"path": path, "requestContext": {"path": whole, "stage": "prod"}} | more


def http_api(path: str, stage: str = "test") -> dict[str, Any]:
    context = HTTP_API["requestContext"] | {"stage": stage}
    return HTTP_API | {"rawPath": path, "requestContext": context}


@pytest.mark.parametrize(
    ("event", "root_path", "path"),
    [
        (http_api("/test/my/path"), "/test", "/test/my/path"),
        (http_api("/test"), "/test", "/test"),
        (http_api("/testing"), "", "/testing"),
        (http_api("/my/path", "$default"), "", "/my/path"),
        (rest("/", "/prod/"), "/prod", "/prod/"),
        (rest("/", "/prod"), "/prod", "/prod/"),
        (rest("/base/orders", "/base/orders"), "", "/base/orders"),
        (rest("/prod/a", "/prod/a", version="1.0"), "/prod", "/prod/a"),
        (rest("/a%2Fb", "/prod/a%2Fb"), "/prod", "/prod/a/b"),
    ],
)
def test_a_stage_is_where_the_application_is_mounted(
    event: dict[str, Any], root_path: str, path: str
) -> None:
    """`root_path` is the stage, and `path` begins with it, however the event tells."""
    scope = seen(event).scope
    assert (scope["root_path"], scope["path"]) == (root_path, path)


def test_the_base_path_of_a_custom_domain() -> None:
    """`root_path` is said once; the path has it in front whether the event does or not."""
    for path in ("/orders/7", "/7"):
        scope = seen(rest(path, path), root_path="/orders").scope
        assert (scope["root_path"], scope["path"]) == ("/orders", "/orders/7")


@pytest.mark.parametrize(
    "event", [{}, None, [], {"Records": []}, {"requestContext": {"connectionId": "x"}}], ids=str
)
def test_other_events_are_refused(event: Any) -> None:
    """An event that is no HTTP request is a function error that says so."""
    with pytest.raises(NotAnHttpEvent, match="no HTTP request of a Function URL"):
        asyncio.run(asgi(Recorder())(event, CONTEXT))


def test_a_path_that_is_no_ascii() -> None:
    """What a front end has decoded is encoded again in `raw_path`."""
    scope = seen(http_api("/caf\u00e9/%2F", "$default")).scope
    assert (scope["path"], scope["raw_path"]) == ("/caf\u00e9//", b"/caf%C3%A9/%2F")


# --- Results ----------------------------------------------------------------------------------

COOKIES: Headers = [(b"set-cookie", b"a=1; Secure"), (b"Set-Cookie", b"b=2")]
VARY: Headers = [(b"vary", b"origin"), (b"vary", b"cookie")]


def test_a_result_of_payload_format_2() -> None:
    """Headers of one name are joined; cookies have a list of their own."""
    assert answered(FUNCTION_URL, 201, [*TEXT, *COOKIES, *VARY]) == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain; charset=utf-8", "vary": "origin, cookie"},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "ok",
        "isBase64Encoded": False,
    }
    assert "cookies" not in answered(FUNCTION_URL)


def test_a_result_of_payload_format_1() -> None:
    """What occurs once is in `headers`, what occurs more often in `multiValueHeaders`."""
    assert answered(REST_API, 201, [*TEXT, *COOKIES]) == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain; charset=utf-8"},
        "multiValueHeaders": {"set-cookie": ["a=1; Secure", "b=2"]},
        "body": "ok",
        "isBase64Encoded": False,
    }
    assert "multiValueHeaders" not in answered(REST_API)


def test_a_result_for_a_load_balancer() -> None:
    """Without multi-value headers each cookie goes under another spelling of its name."""
    assert answered(LOAD_BALANCER, 200, [*TEXT, *COOKIES, *VARY]) == {
        "statusCode": 200,
        "headers": {
            "content-type": "text/plain; charset=utf-8",
            "vary": "origin, cookie",
            "set-cookie": "a=1; Secure",
            "Set-cookie": "b=2",
        },
        "body": "ok",
        "isBase64Encoded": False,
    }


def test_a_result_for_a_load_balancer_with_multi_value_headers() -> None:
    """All headers are lists: `headers` is not read then."""
    assert answered(MULTI_VALUE, 200, [*TEXT, *COOKIES]) == {
        "statusCode": 200,
        "multiValueHeaders": {
            "content-type": ["text/plain; charset=utf-8"],
            "set-cookie": ["a=1; Secure", "b=2"],
        },
        "body": "ok",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("body", "spelled"),
    [
        (b"", ("", False)),
        ("gr\u00fc\u00df".encode(), ("gr\u00fc\u00df", False)),
        (b"\x1f\x8b\x08", ("H4sI", True)),
        (b"\x89PNG\r\n\0", ("iVBORw0KAA==", True)),
        ("gr\u00fc\u00df".encode("latin-1"), ("Z3L83w==", True)),
    ],
)
@pytest.mark.parametrize("event", [FUNCTION_URL, REST_API, LOAD_BALANCER], ids=["2", "1", "alb"])
def test_bodies_arrive_byte_for_byte(
    event: dict[str, Any], body: bytes, spelled: tuple[str, bool]
) -> None:
    """As text when the bytes are UTF-8, whatever the content type says; else in base64."""
    result = answered(event, body=body)
    assert (result["body"], result["isBase64Encoded"]) == spelled


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_responses_without_a_body(method: str, status: int) -> None:
    """To HEAD, and with 204 or 304: the headers stay as they are, the body is left out."""
    headers = [(b"content-length", b"2"), (b"etag", b'"x"')]
    result = answered(LOAD_BALANCER | {"httpMethod": method}, status, headers)
    assert result["headers"] == {"content-length": "2", "etag": '"x"'}
    assert (result["statusCode"], result["body"]) == (status, "")


def test_header_values_that_are_no_ascii() -> None:
    """UTF-8 is taken as that, anything else as Latin-1."""
    headers = [(b"x-utf-8", "\u20ac".encode()), (b"x-latin-1", b"\xe9")]
    assert answered(FUNCTION_URL, headers=headers)["headers"] == {
        "x-utf-8": "\u20ac",
        "x-latin-1": "\u00e9",
    }


# --- Streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "streams"),
    [
        (FUNCTION_URL, True),
        (REST_API, True),
        (HTTP_API, False),
        (REST_API | {"version": "1.0"}, False),
        (LOAD_BALANCER, False),
    ],
    ids=["Function URL", "REST API", "HTTP API", "HTTP API, format 1.0", "load balancer"],
)
def test_only_what_can_stream_is_answered_with_a_stream(
    event: dict[str, Any], streams: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Function URLs and REST APIs, when told to; HTTP APIs and load balancers never."""

    async def answer(**options: Any) -> bool:
        result = await asgi(Recorder(headers=[*TEXT, *COOKIES]), **options)(event, CONTEXT)
        if not isinstance(result, HttpResponse):
            return False
        chunks = cast("AsyncIterator[bytes]", result.body)
        body = b"".join([chunk async for chunk in chunks])
        assert (result.status, body) == (200, b"ok")
        assert result.headers == {"content-type": "text/plain; charset=utf-8"}
        assert result.cookies == ["a=1; Secure", "b=2"]
        return True

    assert asyncio.run(answer(stream=True)) is streams
    assert asyncio.run(answer()) is False
    monkeypatch.setenv("LAMBDA_RUNTIME_INVOKE_MODE", "response_stream")
    assert asyncio.run(answer()) is streams
    assert asyncio.run(answer(stream=False)) is False
