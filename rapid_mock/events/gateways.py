"""Events of API Gateway (payload formats 1.0 and 2.0) and of Function URLs.

Source: "Input format of a Lambda function for proxy integration" and "AWS Lambda proxy
integrations for HTTP APIs", API Gateway Developer Guide; "Invoking Lambda function URLs".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapid_mock.events.requests import (
    SOURCE_IP,
    Query,
    encoded_body,
    joined,
    last,
    raw_query,
    request_headers,
    values_of,
)
from rapid_mock.events.values import ACCOUNT, REGION, Body, Event, Moment, Origin

_PROTOCOL = "HTTP/1.1"
_DEFAULT = "$default"
_CALLER = (
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider"),
    *("cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId"),
    *("principalOrgId", "user", "userArn"),
)


def api_gateway_v1(
    method: str = "GET",
    path: str = "/",
    *,
    query: Query | None = None,
    headers: Query | None = None,
    body: Body | None = None,
    resource: str | None = None,
    path_parameters: Mapping[str, str] | None = None,
    stage_variables: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
    stage: str = "prod",
    http_api: bool = False,
    source_ip: str = SOURCE_IP,
    request_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A request through a REST API, or with `http_api` through an HTTP API with format 1.0.

    `resource` is the route's path (`/orders/{id}`), by default `path`. Parameters and stage
    variables that are not there are null. A bytes body comes in base64.
    """
    origin = Origin(seed, at, region, account)
    api_id = origin.letters(10)
    front = _Front(api_id, f"{api_id}.execute-api.{region}.amazonaws.com", account)
    all_headers = request_headers(headers, body, front.domain, origin, source_ip)
    parameters = values_of(query)
    text, is_base64 = encoded_body(body)
    context = _context_1(front, origin, method, path, stage, resource or path)
    context["identity"] |= {"sourceIp": source_ip, "userAgent": all_headers["user-agent"][-1]}
    context["requestId"] = request_id or origin.uuid()
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return {
        **({"version": "1.0"} if http_api else {}),
        "resource": resource or path,
        "path": path,
        "httpMethod": method,
        "headers": last(all_headers),
        "multiValueHeaders": all_headers,
        "queryStringParameters": last(parameters) or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": dict(path_parameters or {}) or None,
        "stageVariables": dict(stage_variables or {}) or None,
        "requestContext": context,
        "body": text,
        "isBase64Encoded": is_base64,
    }


def api_gateway_v2(
    method: str = "GET",
    path: str = "/",
    *,
    query: Query | None = None,
    headers: Query | None = None,
    cookies: Sequence[str] = (),
    body: Body | None = None,
    route_key: str = _DEFAULT,
    path_parameters: Mapping[str, str] | None = None,
    stage_variables: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
    stage: str = _DEFAULT,
    source_ip: str = SOURCE_IP,
    request_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A request through an HTTP API, payload format 2.0; `cookies` are `name=value` texts.

    `authorizer` is `{"jwt": {...}}`, `{"lambda": {...}}` or `{"iam": {...}}`. Members without
    content are absent, as on AWS.
    """
    origin = Origin(seed, at, region, account)
    api_id = origin.letters(10)
    front = _Front(api_id, f"{api_id}.execute-api.{region}.amazonaws.com", account)
    event = _format_2(
        front, origin, method, path, values_of(query), headers, body, source_ip=source_ip
    )
    context = event["requestContext"]
    event["routeKey"] = context["routeKey"] = route_key
    context["stage"] = stage
    if stage != _DEFAULT:
        event["rawPath"] = context["http"]["path"] = f"/{stage}{path}"
    given: dict[str, Any] = {
        "cookies": list(cookies),
        "pathParameters": dict(path_parameters or {}),
        "stageVariables": dict(stage_variables or {}),
    }
    event |= {name: content for name, content in given.items() if content}
    context["requestId"] = request_id or f"{origin.letters(15)}="
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return event


def function_url(
    method: str = "GET",
    path: str = "/",
    *,
    query: Query | None = None,
    headers: Query | None = None,
    cookies: Sequence[str] = (),
    body: Body | None = None,
    iam_user: str | None = None,
    url_id: str | None = None,
    source_ip: str = SOURCE_IP,
    request_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A request to a Function URL: of auth type NONE, or AWS_IAM when an IAM user's name is given.

    `url_id` is the first label of the URL's host.
    """
    origin = Origin(seed, at, region, account)
    url_id = url_id or origin.letters(32)
    caller = "anonymous" if iam_user is None else account
    front = _Front(url_id, f"{url_id}.lambda-url.{region}.on.aws", caller)
    event = _format_2(
        front, origin, method, path, values_of(query), headers, body, source_ip=source_ip
    )
    context = event["requestContext"]
    context["requestId"] = request_id or origin.uuid()
    if cookies:
        event["cookies"] = list(cookies)
    if iam_user is not None:
        context["authorizer"] = {"iam": _iam_caller(iam_user, account, origin)}
    return event


class _Front:
    """The API or Function URL that a request came to."""

    def __init__(self, api_id: str, domain: str, account: str) -> None:
        self.api_id = api_id
        self.domain = domain
        self.account = account


def _context_1(
    front: _Front, origin: Origin, method: str, path: str, stage: str, resource: str
) -> dict[str, Any]:
    """The request context of payload format 1.0, without what identifies caller and request."""
    return {
        "accountId": front.account,
        "apiId": front.api_id,
        "domainName": front.domain,
        "domainPrefix": front.api_id,
        "extendedRequestId": f"{origin.letters(15)}=",
        "httpMethod": method,
        "identity": dict.fromkeys(_CALLER),
        "path": path if stage == _DEFAULT else f"/{stage}{path}",
        "protocol": _PROTOCOL,
        "requestId": "",
        "requestTime": origin.request_time(),
        "requestTimeEpoch": origin.milliseconds,
        "resourceId": origin.letters(6),
        "resourcePath": resource,
        "stage": stage,
    }


def _format_2(
    front: _Front,
    origin: Origin,
    method: str,
    path: str,
    parameters: Mapping[str, Sequence[str]],
    headers: Query | None,
    body: Body | None,
    *,
    source_ip: str,
) -> Event:
    """What payload format 2.0 has everywhere; the caller fills in the request's id."""
    all_headers = request_headers(headers, body, front.domain, origin, source_ip)
    text, is_base64 = encoded_body(body)
    request = {
        "method": method,
        "path": path,
        "protocol": _PROTOCOL,
        "sourceIp": source_ip,
        "userAgent": all_headers["user-agent"][-1],
    }
    context = {
        "accountId": front.account,
        "apiId": front.api_id,
        "domainName": front.domain,
        "domainPrefix": front.api_id,
        "http": request,
        "requestId": "",
        "routeKey": _DEFAULT,
        "stage": _DEFAULT,
        "time": origin.request_time(),
        "timeEpoch": origin.milliseconds,
    }
    return {
        "version": "2.0",
        "routeKey": _DEFAULT,
        "rawPath": path,
        "rawQueryString": raw_query(parameters),
        "headers": joined(all_headers),
        **({"queryStringParameters": joined(parameters)} if parameters else {}),
        "requestContext": context,
        **({"body": text} if text else {}),
        "isBase64Encoded": is_base64,
    }


def _iam_caller(user: str, account: str, origin: Origin) -> dict[str, str | None]:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    user_id = f"AIDA{origin.letters(17, alphabet)}"
    return {
        "accessKey": f"AKIA{origin.letters(16, alphabet)}",
        "accountId": account,
        "callerId": user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{account}:user/{user}",
        "userId": user_id,
    }
