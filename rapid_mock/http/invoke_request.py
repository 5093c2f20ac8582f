"""The request of an invocation, in either form: headers and body to one InvokeRequest.

Source: Lambda API reference, "Invoke"; error bodies as recorded from AWS.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from urllib.parse import parse_qs

from lambda_runtime import contract
from rapid_mock.errors import (
    InvalidParameterValue,
    InvalidRequestContent,
    ServiceError,
    ValidationFailed,
)
from rapid_mock.http.exchange import Exchange, Request
from rapid_mock.http.header_text import decode_header
from rapid_mock.http.json_text import find_fault
from rapid_mock.service.constraints import Group, Text, check
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest
from rapid_mock.tracing import new_request_id, new_trace_header

INVOCATION_TYPES = (
    contract.INVOCATION_EVENT,
    contract.INVOCATION_REQUEST_RESPONSE,
    contract.INVOCATION_DRY_RUN,
)
STREAM_INVOCATION_TYPES = (contract.INVOCATION_REQUEST_RESPONSE, contract.INVOCATION_DRY_RUN)
_REQUEST_ID_HEADER = contract.HEADER_AMZN_REQUEST_ID.lower()
_INVOCATION_TYPE = contract.HEADER_INVOCATION_TYPE.lower()
_LOG_TYPE = contract.HEADER_LOG_TYPE.lower()
_TRACE_ID = contract.HEADER_AMZN_TRACE_ID.lower()
_CLIENT_CONTEXT = contract.HEADER_INVOKE_CLIENT_CONTEXT.lower()
_TENANT_ID = contract.HEADER_INVOKE_TENANT_ID.lower()

_FORM = "application/x-www-form-urlencoded"
_DURABLE_EXECUTION = "x-amz-durable-execution-name"
_TENANT = Group({"TenantId": Text(1, 256, r"[a-zA-Z0-9\._:\/=+\-@ ]+")})
_LOG_TAIL = "Tail"
_LOG_TYPES = (_LOG_TAIL, "None")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@-]{1,128}")
"""What can be a path segment as it stands, for there the runtime puts it."""


def read_invoke_request(
    request: Request,
    request_id: str,
    body: bytes,
    invocation_types: tuple[str, ...] = INVOCATION_TYPES,
) -> InvokeRequest:
    """Raises InvalidRequestContent or ValidationFailed, in AWS's words.

    Raises InvalidParameterValue for a durable execution, which there is none of here.
    """
    headers = request.headers
    if _DURABLE_EXECUTION in headers:
        raise InvalidParameterValue("Durable functions do not run here.")
    invocation_type = _choice(headers, _INVOCATION_TYPE, "invocationType", invocation_types)
    log_type = _choice(headers, _LOG_TYPE, "logType", _LOG_TYPES)
    fault = find_fault(body) if body else None
    if fault is not None:
        raise InvalidRequestContent(
            f"Could not parse request body into json: Could not parse payload into json: {fault}"
        )
    return InvokeRequest(
        request_id,
        request.params["function_name"],
        body or b"{}",
        qualifier=_qualifier(request.query) if request.query else None,
        invocation_type=invocation_type or contract.INVOCATION_REQUEST_RESPONSE,
        content_type=_content_type(headers),
        trace_id=_text(headers, _TRACE_ID) or new_trace_header(),
        client_context=_client_context(headers),
        tenant_id=_tenant_id(headers),
        wait_for_report=log_type == _LOG_TAIL,
    )


def request_id_of(request: Request) -> str:
    """The invoker's own (RIE), or a fresh one."""
    given = request.headers.get(_REQUEST_ID_HEADER)
    return given if given and _REQUEST_ID.fullmatch(given) else new_request_id()


def _qualifier(query: str) -> str | None:
    values = parse_qs(query).get("Qualifier")
    return values[0] if values else None


def _text(headers: dict[str, str], name: str) -> str | None:
    value = headers.get(name)
    return decode_header(value) if value else None


def _content_type(headers: dict[str, str]) -> str:
    """The invoker's, for the runtime; curl's `-d` calls whatever it sends a form, which tells none.

    A runtime that believed it would not decode the JSON (RIE tells every runtime of JSON).
    """
    found = _text(headers, "content-type")
    return found if found and found != _FORM else contract.CONTENT_TYPE_JSON


def _choice(
    headers: dict[str, str], name: str, member: str, allowed: tuple[str, ...]
) -> str | None:
    value = _text(headers, name)
    if value is not None and value not in allowed:
        raise ValidationFailed(
            f"Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        )
    return value


def _tenant_id(headers: dict[str, str]) -> str | None:
    tenant_id = headers.get(_TENANT_ID)
    if tenant_id is not None:
        check({"TenantId": _text(headers, _TENANT_ID) or ""}, _TENANT)
    return tenant_id


def _client_context(headers: dict[str, str]) -> str | None:
    encoded = headers.get(_CLIENT_CONTEXT)
    if not encoded:
        return None
    if len(encoded) > contract.MAX_CLIENT_CONTEXT_BYTES:
        raise InvalidRequestContent(
            f"Client context must be at most {contract.MAX_CLIENT_CONTEXT_BYTES} bytes long."
        )
    try:
        context = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        context = b""
    if not context.lstrip().startswith(b"{") or find_fault(context) is not None:
        raise InvalidRequestContent("Client context must be a valid Base64-encoded JSON object.")
    return context.decode()


def answer_without_payload(exchange: Exchange, answer: InvokeAnswer) -> None:
    """An event was accepted, or a dry run found nothing to refuse."""
    headers = [(contract.HEADER_AMZN_REQUEST_ID, answer.request_id)]
    exchange.respond(answer.status, headers, answer.payload)


def refuse_invoke(exchange: Exchange, request_id: str, error: ServiceError) -> None:
    """Answer with an error as the Lambda API has it."""
    headers = [
        ("Content-Type", contract.CONTENT_TYPE_JSON),
        (contract.HEADER_AMZN_REQUEST_ID, request_id),
        (contract.HEADER_AMZN_ERROR_TYPE, error.type_name),
    ]
    body = json.dumps(error.members(), separators=(",", ":"), ensure_ascii=False)
    exchange.respond(error.status, headers, body.encode("utf-8", "replace"))
