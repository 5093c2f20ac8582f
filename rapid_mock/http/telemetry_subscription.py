"""Reads the body of a subscription to telemetry, and says what is wrong with it as Lambda does.

Sources: "Lambda Telemetry API reference" and "Lambda Logs API", AWS Lambda Developer Guide; texts
of faults: the same pages (an empty `types`, a URI without a port), else RIE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from lambda_runtime import contract
from rapid_mock.http.json_text import InvalidJson, decode_object
from rapid_mock.lifecycle.subscriptions import Buffering, Destination, Subscription

_SCHEMA = "file:///tmp/telemetry-subscription-schema.json#"
_BUFFERING = {
    "maxItems": contract.BUFFERING_MAX_ITEMS,
    "maxBytes": contract.BUFFERING_MAX_BYTES,
    "timeoutMs": contract.BUFFERING_TIMEOUT_MS,
}


class InvalidSubscription(Exception):
    """Raised for a subscription that Lambda refuses; carries its text."""


def read_subscription(
    body: bytes, schemas: Sequence[str], *, is_logs_api: bool = False
) -> Subscription:
    """The subscription that a body asks for; `schemas` are the versions that there are.

    Raises InvalidSubscription for the first fault.
    """
    try:
        document = decode_object(body)
    except InvalidJson as error:
        raise InvalidSubscription(f"failed to parse JSON: {error}") from error
    if is_logs_api:
        document.setdefault("schemaVersion", schemas[0])
    _require(document, ("schemaVersion", "types", "destination"), "", "")
    _one_of(document["schemaVersion"], schemas, "/schemaVersion", "/properties/schemaVersion")
    types = _read_types(document["types"])
    buffering = _read_buffering(document.get("buffering", {}))
    destination = _read_destination(document["destination"], bool(types))
    return Subscription(
        is_logs_api, document["schemaVersion"], tuple(types), destination, buffering
    )


def _read_types(types: Any) -> list[str]:
    _typed(types, list, "/types", "/properties/types")
    for number, name in enumerate(types):
        _one_of(name, contract.TELEMETRY_TYPES, f"/types/{number}", "/properties/types/items")
    return list(types)


def _read_buffering(buffering: Any) -> Buffering:
    place = "/properties/buffering"
    _typed(buffering, dict, "/buffering", place)
    values = []
    for name, (smallest, largest, default) in _BUFFERING.items():
        value = buffering.get(name, default)
        where = f"/buffering/{name}", f"{place}/properties/{name}"
        _typed(value, int, *where)
        if value < smallest:
            raise _fault(*where, "minimum", f"must be >= {_go(smallest)} but found {_go(value)}")
        if value > largest:
            raise _fault(*where, "maximum", f"must be <= {_go(largest)} but found {_go(value)}")
        values.append(int(value))
    return Buffering(values[0], values[1], values[2] / 1000)


def _read_destination(destination: Any, has_types: bool) -> Destination:
    place = "/properties/destination"
    _typed(destination, dict, "/destination", place)
    port = destination.get("port")
    is_number = isinstance(port, int | float) and not isinstance(port, bool)
    is_port = is_number and 1 <= port <= 65535 and port == int(port)
    if destination.get("protocol") == contract.DESTINATION_TCP and is_port:
        _no_faults([] if has_types else ["types should not be empty"])
        return Destination(contract.DESTINATION_TCP, int(port))
    place += "/oneOf/0"
    _require(destination, ("protocol", "URI"), "/destination", place)
    protocol, method = destination["protocol"], destination.get("method", "POST")
    http = (contract.DESTINATION_HTTP,)
    _one_of(protocol, http, "/destination/protocol", f"{place}/properties/protocol")
    _one_of(method, ("POST", "PUT"), "/destination/method", f"{place}/properties/method")
    _typed(destination["URI"], str, "/destination/URI", f"{place}/properties/URI")
    return _http_destination(destination["URI"], method, has_types)


def _http_destination(uri: str, method: str, has_types: bool) -> Destination:
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host not in contract.DESTINATION_HOSTS:
        text = f"destination.URI host must be {contract.DESTINATION_HOSTS[0]}"
        raise InvalidSubscription(f"Invalid destination: {text}")
    _no_faults(
        (["URI port is not provided"] if port is None else [])
        + ([] if has_types else ["types should not be empty"])
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(contract.DESTINATION_HTTP, port or 0, host, path, method)


def _no_faults(faults: list[str]) -> None:
    if faults:
        raise InvalidSubscription("; ".join(faults))


def _require(document: Mapping[str, Any], names: Sequence[str], pointer: str, place: str) -> None:
    missing = ", ".join(f"'{name}'" for name in names if name not in document)
    if missing:
        raise _fault(pointer, place, "required", f"missing properties: {missing}")


def _one_of(value: Any, allowed: Sequence[str], pointer: str, place: str) -> None:
    if value not in allowed:
        names = ", ".join(f'"{name}"' for name in allowed)
        some = "one of " if len(allowed) > 1 else ""
        raise _fault(pointer, place, "enum", f"value must be {some}{names}")


def _typed(value: Any, wanted: type, pointer: str, place: str) -> None:
    names = {list: "array", dict: "object", int: "integer", str: "string"}
    is_right = isinstance(value, wanted) and not isinstance(value, bool)
    if wanted is int and isinstance(value, float):
        is_right = value.is_integer()
    if not is_right:
        text = f"expected {names[wanted]}, but got {_kind(value)}"
        raise _fault(pointer, place, "type", text)


def _fault(pointer: str, place: str, keyword: str, text: str) -> InvalidSubscription:
    return InvalidSubscription(
        f"schema validation error: jsonschema: '{pointer}' does not validate with"
        f" {_SCHEMA}{place}/{keyword}: {text}"
    )


def _kind(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}
    return "null" if value is None else kinds.get(type(value), "object")


def _go(number: float) -> str:
    """A number as Go's `%g` writes it: from a million on with an exponent."""
    if abs(number) < 1_000_000:
        return str(int(number)) if number == int(number) else repr(number)
    _, digits, _ = Decimal(repr(number)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    exponent = Decimal(repr(number)).adjusted()
    sign = "-" if number < 0 else ""
    fraction = f".{mantissa[1:]}" if mantissa[1:] else ""
    return f"{sign}{mantissa[0]}{fraction}e+{exponent:02d}"
