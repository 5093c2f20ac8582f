"""The operations of the Lambda API on layers.

Source: Lambda API reference; answers as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rapid_mock.host.downloads import Downloads
from rapid_mock.host.functions import Functions, new_stamp
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.layers import (
    LayerVersion,
    check_filter,
    check_publish,
    parse_layer_name,
)
from rapid_mock.service.paging import number_key, page_of

LAST_NUMBER = 10**18
"""No layer has so many versions: counted down from it, the newest come first."""


class LayerOperations:
    """Each method is an operation: the call in, the JSON members of the answer out."""

    def __init__(self, functions: Functions, downloads: Downloads) -> None:
        self._functions = functions
        self._layers = functions.layers
        self._downloads = downloads

    def publish_layer_version(self, call: Call) -> Body:
        check_publish(call.body)
        name, stamp = parse_layer_name(call.params["layer_name"]), new_stamp()
        code = self._functions.read_code(call.body["Content"], stamp.revision_id)
        version = self._layers.publish(name, call.body, code, stamp.moment)
        return self._with_content(version, call)

    def get_layer_version(self, call: Call) -> Body:
        return self._with_content(self._layers.find(*self._named(call)), call)

    def get_layer_version_by_arn(self, call: Call) -> Body:
        return self._with_content(self._layers.find_by_arn(call.query), call)

    def delete_layer_version(self, call: Call) -> Body:
        self._layers.delete(*self._named(call))
        self._functions.tidy()
        return None

    def list_layers(self, call: Call) -> Body:
        check_filter(call.query)
        shown = [
            {
                "LayerName": version.name,
                "LayerArn": self._layers.arn(version.name),
                "LatestMatchingVersion": self._members(version),
            }
            for version in self._layers.latest()
            if _is_compatible(version, call)
        ]
        return _page("Layers", shown, call, lambda layer: str(layer["LayerName"]))

    def list_layer_versions(self, call: Call) -> Body:
        check_filter(call.query)
        versions = self._layers.versions(parse_layer_name(call.params["layer_name"]))
        shown = [self._members(version) for version in versions if _is_compatible(version, call)]
        return _page(
            "LayerVersions",
            shown,
            call,
            lambda version: number_key(LAST_NUMBER - version["Version"]),
        )

    def _named(self, call: Call) -> tuple[str, int]:
        number = call.params["number"]
        name = parse_layer_name(call.params["layer_name"])
        return name, int(number) if number.isdecimal() else 0

    def _members(self, version: LayerVersion) -> dict[str, Any]:
        return {
            "LayerVersionArn": self._layers.version_arn(version),
            "Version": version.number,
            "CreatedDate": version.created,
            **version.about,
        }

    def _with_content(self, version: LayerVersion, call: Call) -> Body:
        content = {
            "Location": self._downloads.location(version.code, call.base_url),
            "CodeSha256": version.code.sha256,
            "CodeSize": version.code.size,
        }
        arn = self._layers.arn(version.name)
        return {"Content": content, "LayerArn": arn, **self._members(version)}


def _is_compatible(version: LayerVersion, call: Call) -> bool:
    """Whether it says so itself of the runtime and the architecture that the caller asks for."""
    return all(
        call.query.get(asked) is None or call.query[asked] in version.about.get(stored, ())
        for asked, stored in (
            ("CompatibleRuntime", "CompatibleRuntimes"),
            ("CompatibleArchitecture", "CompatibleArchitectures"),
        )
    )


def _page(
    member: str, shown: list[dict[str, Any]], call: Call, key: Callable[[dict[str, Any]], str]
) -> Body:
    page, marker = page_of(shown, call.query, most=50, key=key)
    return {member: list(page)} if marker is None else {member: list(page), "NextMarker": marker}
