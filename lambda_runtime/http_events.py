"""HTTP as events and results have it: Function URLs, API Gateway, Application Load Balancers.

Source: "Invoking Lambda function URLs"; payload formats 1.0 and 2.0 in "AWS Lambda proxy
integrations for HTTP APIs"; "Lambda functions as targets", Elastic Load Balancing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from urllib.parse import quote, unquote, urlencode

from lambda_runtime.errors import LambdaRuntimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Headers = list[tuple[str, str]]
    Spell = Callable[[int, Headers, bytes], dict[str, object]]

_URL_ID_LENGTH = 32
"""A Function URL's id has so many characters, an API's has ten."""
_DEFAULT_STAGE = "$default"


class NotAnHttpEvent(LambdaRuntimeError):
    """Raised when an event is no HTTP request."""


class HttpRequest:
    """A request, whatever brought it, and how its response is spelled.

    `path` is as it came, percent-encoded, behind `root_path`, the part of the URL's path that is
    the API's stage. `query` is what stands behind the question mark. `client` is an address and a
    port, which is 0 when nobody told it. `spell(status, headers, body)` makes the result;
    `may_stream` says whether what brought the request can take a stream at all.
    """

    __slots__ = (
        *("body", "client", "headers", "may_stream", "method", "path", "query", "root_path"),
        "spell",
    )

    def __init__(
        self,
        event: Mapping[str, Any],
        method: str,
        path: str,
        spell: Spell,
        *,
        headers: Headers,
        query: str,
    ) -> None:
        self.method = method
        self.path = path or "/"
        self.root_path = ""
        self.query = query
        self.headers = headers
        self.client: tuple[str, int] | None = None
        self.spell = spell
        self.may_stream = False
        body = event.get("body") or ""
        self.body: bytes = b64decode(body) if event.get("isBase64Encoded") else body.encode()

    def header(self, name: str) -> str | None:
        """The last value of the header with that lower-case name."""
        return next((value for found, value in reversed(self.headers) if found == name), None)


def http_request(event: Any) -> HttpRequest:
    """The request that an event is. Raises NotAnHttpEvent."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    if isinstance(context, dict):
        if "http" in context:
            return _format_2(event, context)
        if "elb" in context:
            return _load_balancer(event)
        if "httpMethod" in event:
            return _format_1(event, context)
    raise NotAnHttpEvent(
        "the event is no HTTP request of a Function URL, of API Gateway (payload format 1.0 or "
        "2.0) or of an Application Load Balancer"
    )


# --- Payload format 2.0: Function URLs, HTTP APIs ---------------------------------------------


def _format_2(event: Mapping[str, Any], context: Mapping[str, Any]) -> HttpRequest:
    headers = _pairs(event.get("headers"))
    if event.get("cookies"):
        headers.append(("cookie", "; ".join(event["cookies"])))
    method, query = context["http"]["method"], event.get("rawQueryString") or ""
    path = event.get("rawPath") or ""
    request = HttpRequest(event, method, path, _spell_2, headers=headers, query=query)
    request.root_path = _stage_in(request.path, context)
    request.client = _address(context["http"].get("sourceIp"))
    request.may_stream = len(context.get("apiId") or "") == _URL_ID_LENGTH
    return request


def _spell_2(status: int, headers: Headers, body: bytes) -> dict[str, object]:
    joined, cookies = joined_headers(headers)
    result: dict[str, object] = {"statusCode": status, "headers": joined}
    if cookies:
        result["cookies"] = cookies
    return result | _spelled_body(body)


# --- Payload format 1.0: REST APIs, HTTP APIs -------------------------------------------------


def _format_1(event: Mapping[str, Any], context: Mapping[str, Any]) -> HttpRequest:
    headers = _pairs(event.get("multiValueHeaders") or event.get("headers"))
    values = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    query = urlencode(values or {}, doseq=True)
    path, method = event.get("path") or "/", event["httpMethod"]
    whole = context.get("path") or path
    if path == "/" and not whole.endswith("/"):
        whole += "/"  # the stage's root may come without
    request = HttpRequest(event, method, path, _spell_1, headers=headers, query=query)
    if "version" in event:
        request.root_path = _stage_in(path, context)
    elif whole.endswith(path):
        request.root_path, request.path = whole[: -len(path)], whole
    request.client = _address((context.get("identity") or {}).get("sourceIp"))
    request.may_stream = "version" not in event  # that is an HTTP API, which never streams
    return request


def _spell_1(status: int, headers: Headers, body: bytes) -> dict[str, object]:
    single, repeated = _by_number(headers)
    result: dict[str, object] = {"statusCode": status, "headers": single}
    if repeated:
        result["multiValueHeaders"] = repeated
    return result | _spelled_body(body)


# --- Application Load Balancers ---------------------------------------------------------------


def _load_balancer(event: Mapping[str, Any]) -> HttpRequest:
    has_all = "multiValueHeaders" in event
    headers = _pairs(event["multiValueHeaders"] if has_all else event.get("headers"))
    values = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    method, path = event["httpMethod"], event.get("path") or ""
    spell = _spell_multi_value if has_all else _spell_single_value
    query = _as_they_came(values or {})
    request = HttpRequest(event, method, path, spell, headers=headers, query=query)
    hops = (request.header("x-forwarded-for") or "").split(",")
    request.client = _address(hops[-1].strip())  # the balancer's own word is the last one
    return request


def _as_they_came(values: Mapping[str, str | list[str]]) -> str:
    """Load balancers leave queries encoded."""
    each = [
        (name, value)
        for name, given in values.items()
        for value in ([given] if isinstance(given, str) else given)
    ]
    return "&".join(f"{name}={value}" for name, value in each)


def _spell_multi_value(status: int, headers: Headers, body: bytes) -> dict[str, object]:
    single, repeated = _by_number(headers)
    everything = {name: [value] for name, value in single.items()} | repeated
    return {"statusCode": status, "multiValueHeaders": everything} | _spelled_body(body)


def _spell_single_value(status: int, headers: Headers, body: bytes) -> dict[str, object]:
    """Cookies, which cannot be joined, go under one name in different cases."""
    joined, cookies = joined_headers(headers)
    cased = {_cased("set-cookie", number): value for number, value in enumerate(cookies)}
    return {"statusCode": status, "headers": joined | cased} | _spelled_body(body)


def _cased(name: str, number: int) -> str:
    """The name with the letters upper-case that have a one in the number's binary digits."""
    return "".join(
        letter.upper() if number >> place & 1 else letter for place, letter in enumerate(name)
    )


# --- What they have in common -----------------------------------------------------------------


def raw_path(path: str) -> bytes:
    """The path in ASCII, whatever front end has decoded parts of it."""
    return quote(path, safe="/%:@!$&'()*+,;=~-._").encode()


def decoded_path(path: str) -> str:
    """The path without percent-encoding."""
    return unquote(path)


def joined_headers(headers: Headers) -> tuple[dict[str, str], list[str]]:
    """Headers of one name joined by commas, and the cookies, which cannot be."""
    joined: dict[str, str] = {}
    cookies = []
    for name, value in headers:
        if name == "set-cookie":
            cookies.append(value)
        else:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined, cookies


def _by_number(headers: Headers) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The headers that occur once, and those that occur more often."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    single = {name: found[0] for name, found in values.items() if len(found) == 1}
    return single, {name: found for name, found in values.items() if len(found) > 1}


def _spelled_body(body: bytes) -> dict[str, object]:
    """As text when the bytes are UTF-8, which gives the same bytes back; else in base64."""
    try:
        return {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode(), "isBase64Encoded": True}


def _pairs(headers: Mapping[str, str | list[str]] | None) -> Headers:
    return [
        (name.lower(), value)
        for name, given in (headers or {}).items()
        for value in ([given] if isinstance(given, str) else given)
    ]


def _stage_in(path: str, context: Mapping[str, Any]) -> str:
    """The named stage with which the path begins."""
    stage = context.get("stage") or _DEFAULT_STAGE
    named = f"/{stage}"
    is_there = stage != _DEFAULT_STAGE and (path + "/").startswith(named + "/")
    return named if is_there else ""


def _address(text: str | None) -> tuple[str, int] | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80` as address and port."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (host.endswith("]") or ":" not in host):
        return host.strip("[]"), int(port)
    return text.strip("[]"), 0


def header_texts(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Header names in lower case, with their values: UTF-8, else Latin-1."""
    return [(bytes(name).decode("latin-1").lower(), _text(bytes(value))) for name, value in headers]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
