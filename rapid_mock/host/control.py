"""The operations of the Lambda API on functions, versions, aliases and tags.

Source: Lambda API reference; answers as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rapid_mock.errors import InvalidParameterValue, ResourceNotFound
from rapid_mock.host.downloads import Downloads
from rapid_mock.host.functions import Functions, new_stamp
from rapid_mock.service.aliases import alias_to_create, alias_to_update
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.constraints import Choice, Group, Text, Truth, check
from rapid_mock.service.functions import check_revision
from rapid_mock.service.names import LATEST, TAGGED
from rapid_mock.service.paging import number_key, page_of
from rapid_mock.service.settings import (
    ARCHITECTURES,
    SOURCE,
    TAGS,
    check_create,
    check_tags,
    settings_to_create,
    settings_to_update,
)
from rapid_mock.service.versions import Version, describe

_CODE_GROUP = Group(
    {
        **SOURCE,
        "Architectures": ARCHITECTURES,
        "RevisionId": Text(),
        "Publish": Truth(),
        "DryRun": Truth(),
    }
)
_PUBLISH_GROUP = Group({"Description": Text(0, 256), "CodeSha256": Text(), "RevisionId": Text()})
_TAGS_GROUP = Group({"Tags": TAGS}, required=("Tags",))
_TAG_KEYS_GROUP = Group({}, required=("TagKeys",))
_TAGGED_GROUP = Group({"Resource": TAGGED})
_LIST_GROUP = Group({"FunctionVersion": Choice(("ALL",))})


class FunctionOperations:
    """Each method is an operation: the call in, the JSON members of the answer out.

    `mapping_tags` gives the tags of an event source mapping, or raises ResourceNotFound.
    """

    def __init__(
        self,
        functions: Functions,
        downloads: Downloads,
        mapping_tags: Callable[[str], dict[str, str]],
    ) -> None:
        self._mapping_tags = mapping_tags
        self._functions = functions
        self._registry = functions.registry
        self._downloads = downloads

    # --- Functions --------------------------------------------------------------------------

    def create_function(self, call: Call) -> Body:
        request, registry = call.body, self._registry
        check_create(request)
        _refuse_publish_to(request)
        name = registry.parse(request["FunctionName"], is_strict=True).name
        settings = settings_to_create(request, name)
        check_tags(request.get("Tags") or {})
        self._functions.check_runtime(settings["Runtime"])
        self._attach(settings)
        registry.check_new(name)
        stamp = new_stamp()
        code = self._functions.read_code(request["Code"], stamp.revision_id)
        self._functions.check_size(code, settings)
        function = registry.create(name, settings, code, stamp)
        function.tags.update(request.get("Tags") or {})
        version = function.latest
        if request.get("Publish"):
            version = self._published(name)
        self._functions.created(name)
        return describe(version, registry.arn(name))

    def get_function(self, call: Call) -> Body:
        version, arn = self._named(call)
        function = self._registry.functions[version.name]
        body: dict[str, Any] = {
            "Configuration": describe(version, arn),
            "Code": {
                "RepositoryType": "S3",
                "Location": self._downloads.location(version.code, call.base_url),
            },
        }
        if function.tags:
            body["Tags"] = dict(function.tags)
        reserved = self._functions.deployed(version.name).share.reserved
        if reserved is not None:
            body["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return body

    def get_function_configuration(self, call: Call) -> Body:
        version, arn = self._named(call)
        return describe(version, arn)

    def update_function_code(self, call: Call) -> Body:
        request, name = call.body, self._changeable(call)
        check(request, _CODE_GROUP)
        _refuse_publish_to(request)
        latest = self._registry.check_update(name, request.get("RevisionId"))
        stamp = new_stamp()
        code = self._functions.read_code(request, stamp.revision_id)
        self._functions.check_size(code, latest.settings)
        settings = None
        if request.get("Architectures"):
            settings = {**latest.settings, "Architectures": request["Architectures"]}
        if request.get("DryRun"):
            self._functions.tidy()
            would_be = replace(latest, code=code, settings=settings or latest.settings)
            return describe(would_be, self._registry.arn(name))
        version = self._registry.update(name, stamp, settings=settings, code=code)
        published = self._published(name) if request.get("Publish") else None
        self._functions.deploy(version)
        if published is None:
            return describe(version, self._registry.arn(name))
        self._functions.deploy(published)
        return describe(published, self._registry.arn(name, published.number))

    def update_function_configuration(self, call: Call) -> Body:
        request, name = call.body, self._changeable(call)
        latest = self._registry.check_update(name)
        settings = settings_to_update(request, latest.settings, name)
        if "Layers" in request:
            self._attach(settings, [layer["Arn"] for layer in latest.settings.get("Layers", ())])
            self._functions.check_size(latest.code, settings)
        check_revision(latest.stamp.revision_id, request.get("RevisionId"))
        if request.get("Runtime"):
            self._functions.check_runtime(request["Runtime"])
        version = self._registry.update(name, new_stamp(), settings=settings, code=None)
        self._functions.deploy(version)
        return describe(version, self._registry.arn(name))

    def delete_function(self, call: Call) -> Body:
        name, qualifier = self._parsed(call)
        if qualifier is None:
            self._registry.delete(name)
            self._functions.deleted(name)
            return None
        version = self._registry.delete_version(name, qualifier)
        if version is not None:
            self._functions.version_deleted(version)
        return None

    def list_functions(self, call: Call) -> Body:
        check(call.query, _LIST_GROUP)
        registry = self._registry
        functions = [registry.functions[name] for name in sorted(registry.functions)]
        if "FunctionVersion" in call.query:
            versions = [version for function in functions for version in function.in_order()]
            shown = [self._brief(version) for version in versions]
        else:
            shown = [
                describe(each.latest, registry.arn(each.name), is_brief=True) for each in functions
            ]
        return _page("Functions", shown, call, _version_key)

    # --- Versions ---------------------------------------------------------------------------

    def publish_version(self, call: Call) -> Body:
        request, name = call.body, self._changeable(call)
        check(request, _PUBLISH_GROUP)
        _refuse_publish_to(request)
        self._registry.check_update(name, request.get("RevisionId"))
        version, is_new = self._registry.publish(
            name,
            new_stamp(),
            latest_revision_id=new_stamp().revision_id,
            description=request.get("Description"),
            code_sha256=request.get("CodeSha256"),
        )
        if is_new:
            self._functions.published(version)
        return describe(version, self._registry.arn(name, version.number))

    def list_versions(self, call: Call) -> Body:
        function = self._registry.find(self._parsed(call).name)
        shown = [self._brief(each) for each in function.in_order()]
        return _page("Versions", shown, call, _version_key)

    # --- Aliases ----------------------------------------------------------------------------

    def create_alias(self, call: Call) -> Body:
        name = self._strict(call)
        alias = alias_to_create(call.body, new_stamp().revision_id)
        self._registry.add_alias(name, alias)
        return alias.members(self._registry.arn(name, alias.name))

    def get_alias(self, call: Call) -> Body:
        name = self._unqualified(call)
        alias = self._registry.alias(name, call.params["alias"])
        return alias.members(self._registry.arn(name, alias.name))

    def update_alias(self, call: Call) -> Body:
        request, name = call.body, self._unqualified(call)
        alias = self._registry.alias_to_change(
            name, call.params["alias"], request.get("RevisionId")
        )
        updated = alias_to_update(request, alias, new_stamp().revision_id)
        self._registry.put_alias(self._registry.functions[name], updated)
        self._functions.provision(name)
        return updated.members(self._registry.arn(name, updated.name))

    def delete_alias(self, call: Call) -> Body:
        name = self._unqualified(call)
        self._registry.find(name).aliases.pop(call.params["alias"], None)
        self._functions.deployed(name).provisioned.pop(call.params["alias"], None)
        self._functions.provision(name)
        return None

    def list_aliases(self, call: Call) -> Body:
        name = self._unqualified(call)
        wanted = call.query.get("FunctionVersion")
        aliases = sorted(self._registry.find(name).aliases.values(), key=lambda each: each.name)
        shown = [
            alias.members(self._registry.arn(name, alias.name))
            for alias in aliases
            if wanted is None or wanted in alias.versions
        ]
        return _page("Aliases", shown, call, lambda alias: str(alias["Name"]))

    # --- Tags -------------------------------------------------------------------------------

    def list_tags(self, call: Call) -> Body:
        return {"Tags": dict(self._tags(call))}

    def tag_resource(self, call: Call) -> Body:
        check(call.body, _TAGS_GROUP)
        tags = self._tags(call)
        if not call.body["Tags"]:
            raise InvalidParameterValue("An error occurred and the request cannot be processed.")
        check_tags({**tags, **call.body["Tags"]})
        tags.update(call.body["Tags"])
        return None

    def untag_resource(self, call: Call) -> Body:
        tags = self._tags(call)
        check({"TagKeys": call.query_lists.get("tagKeys")}, _TAG_KEYS_GROUP)
        for key in call.query_lists["tagKeys"]:
            tags.pop(key, None)
        return None

    # --- Inside -----------------------------------------------------------------------------

    def _parsed(self, call: Call) -> Any:
        return self._registry.parse(call.params["function_name"], call.query.get("Qualifier"))

    def _unqualified(self, call: Call) -> str:
        """The function of a call that takes no version."""
        name = self._strict(call)
        self._registry.find(name)
        return name

    def _changeable(self, call: Call) -> str:
        """The function of a call that is about `$LATEST`; published versions never change."""
        name, qualifier = self._registry.parse(call.params["function_name"], is_strict=True)
        self._registry.find(name)
        if qualifier not in (None, LATEST):
            raise InvalidParameterValue(
                "Current operation does not support versions other than $LATEST. Please set the "
                "version to $LATEST or do not set a version in your request."
            )
        return name

    def _strict(self, call: Call) -> str:
        """The name of a function that a call is to change; there may be none."""
        return self._registry.parse(call.params["function_name"], is_strict=True).name

    def _named(self, call: Call) -> tuple[Version, str]:
        name, qualifier = self._parsed(call)
        version = self._registry.version(name, qualifier)
        return version, self._registry.arn(name, qualifier)

    def _attach(self, settings: dict[str, Any], attached: Sequence[str] = ()) -> None:
        """Find the layers that settings name; an empty list of them is none."""
        layers = self._functions.layers.attach(settings.pop("Layers", ()), attached)
        if layers:
            settings["Layers"] = layers

    def _published(self, name: str) -> Version:
        version, _ = self._registry.publish(
            name, new_stamp(), latest_revision_id=new_stamp().revision_id
        )
        return version

    def _brief(self, version: Version) -> dict[str, Any]:
        arn = self._registry.arn(version.name, version.number)
        return describe(version, arn, is_brief=True)

    def _tags(self, call: Call) -> dict[str, str]:
        arn = call.params["arn"]
        check({"Resource": arn}, _TAGGED_GROUP)
        kind = arn.split(":")[5]
        if kind == "event-source-mapping":
            return self._mapping_tags(arn)
        if kind == "capacity-provider":
            raise ResourceNotFound(f"Capacity provider not found: {arn}")
        name, qualifier = self._registry.parse(arn)
        if qualifier is not None:
            raise InvalidParameterValue(
                "Tags on function aliases and versions are not supported. Please specify a "
                "function ARN."
            )
        return self._registry.find(name).tags


def _refuse_publish_to(request: Mapping[str, Any]) -> None:
    if request.get("PublishTo") is not None:
        raise InvalidParameterValue(
            "PublishTo has no meaning here: there is no $LATEST.PUBLISHED; publish a version."
        )


def _version_key(shown: dict[str, Any]) -> str:
    """In the order of names, then of versions, `$LATEST` first."""
    version = shown["Version"]
    return f"{shown['FunctionName']}\n{number_key(0 if version == LATEST else int(version))}"


def _page(
    member: str, shown: list[dict[str, Any]], call: Call, key: Callable[[dict[str, Any]], str]
) -> Body:
    page, marker = page_of(shown, call.query, key=key)
    return {member: list(page)} if marker is None else {member: list(page), "NextMarker": marker}
