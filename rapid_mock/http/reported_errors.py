"""Errors as a runtime reports them: which types AWS keeps, and the body that carries its cause.

Source: the Runtime Interface Emulator.
"""

from __future__ import annotations

import re

from lambda_runtime import contract
from rapid_mock.http.header_text import decode_header
from rapid_mock.http.json_text import InvalidJson, Member, decode_members, encode

_KEPT = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")
_MEMBERS = {
    "errorMessage": Member(),
    "errorType": Member(),
    "stackTrace": Member(type="[]string", items="string"),
}


def filter_error_type(error_type: str) -> str:
    """The type itself when it has AWS's form somewhere, else one of the two `...Unknown`."""
    if _KEPT.search(error_type):
        return error_type
    if error_type.startswith("Function."):
        return contract.ERROR_FUNCTION_UNKNOWN
    return contract.ERROR_RUNTIME_UNKNOWN


def read_reported_error(content_type: str | None, body: bytes) -> tuple[bytes, str | None]:
    """What the invoker gets of an error's body, and its content type.

    A body of the error-cause type is written anew without its cause; any other stays as it is.
    """
    if content_type != contract.CONTENT_TYPE_ERROR_CAUSE:
        return body, content_type and decode_header(content_type)
    try:
        members = decode_members(body, _MEMBERS)
    except InvalidJson:
        return encode("Invalid error body"), contract.CONTENT_TYPE_BYTES
    error = {"errorMessage": members.get("errorMessage", "")}
    error["errorType"] = members.get("errorType", "")
    if members.get("stackTrace"):
        error["stackTrace"] = members["stackTrace"]
    return encode(error), contract.CONTENT_TYPE_JSON
