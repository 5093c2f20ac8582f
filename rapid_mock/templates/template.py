"""SAM and CloudFormation templates as calls of the Lambda API.

What has no effect here is named, never ignored. Source: "AWS::Serverless::Function" and the other
resources, AWS SAM Developer Guide; "AWS::Lambda", AWS CloudFormation User Guide.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rapid_mock.errors import InvalidParameterValue, SetupError
from rapid_mock.service.names import LATEST
from rapid_mock.templates.calls import ApiCall, Project
from rapid_mock.templates.code_places import CannotRunHere, asset
from rapid_mock.templates.event_invoke import event_invoke_body, made_by_sam
from rapid_mock.templates.images import image_code
from rapid_mock.templates.intrinsics import ACCOUNT, REGION, Scope
from rapid_mock.templates.pushes import Pushes
from rapid_mock.templates.qualifiers import ALIAS, FIRST, VERSION
from rapid_mock.templates.resources import KINDS, calls_to_make, in_order, known_of
from rapid_mock.templates.values import in_place, inline, kept, merged, text_of
from rapid_mock.templates.yaml_reader import read_template

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
_SAM, _CFN = "AWS::Serverless::Function", "AWS::Lambda::Function"
_LAYERS = {"AWS::Serverless::LayerVersion": "ContentUri", "AWS::Lambda::LayerVersion": "Content"}
_SAME = (
    *("Handler", "Runtime", "Description", "MemorySize", "Timeout", "Environment"),
    *("EphemeralStorage", "Architectures", "LoggingConfig", "SnapStart", "CapacityProviderConfig"),
)
_SAM_ONLY = frozenset(
    {
        *("CodeUri", "InlineCode", "Tracing", "AutoPublishAlias", "FunctionUrlConfig"),
        *("ProvisionedConcurrencyConfig", "DeadLetterQueue", "EventInvokeConfig", "PackageType"),
        *("ImageConfig", "ImageUri"),
    }
)
_EVENT_SOURCES = {"SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream"}
_BOTH = frozenset({"FunctionName", "Layers", "ReservedConcurrentExecutions", "Tags"})
_URL, _PROVISIONED = ("AuthType", "InvokeMode", "Cors"), "ProvisionedConcurrencyConfig"
_CFN_ONLY = frozenset({"Code", "TracingConfig", "DeadLetterConfig"})
_THIS_PYTHON = f"python3.{sys.version_info[1]}"


def read_project(
    path: Path,
    aws_url: str | None = None,
    parameters: Mapping[str, str] | None = None,
    check_runtime: Callable[[str], None] = lambda _runtime: None,
) -> Project:
    """Every function of a template; raises SetupError for what cannot be read or resolved.

    `parameters` override the defaults of the template's. A function is left out, with what belongs
    to it, where its code is elsewhere, or `check_runtime` raises InvalidParameterValue.

    With `aws_url`, where the other services of AWS are, their resources are made too.
    """
    template = read_template(path.read_text("utf-8"), path.name)
    try:
        reading = _Reading(template, path.parent, aws_url, parameters or {}, check_runtime)
        return reading.project()
    except SetupError as error:
        raise SetupError(f"{path.name}: {error}") from error


class _Reading:
    """One template; its paths are relative to `home`."""

    def __init__(
        self,
        template: dict[str, Any],
        home: Path,
        aws_url: str | None,
        parameters: Mapping[str, str],
        check_runtime: Callable[[str], None],
    ) -> None:
        self._home = home.resolve()
        self._project = Project()
        self._made = frozenset() if aws_url is None else KINDS.keys()
        self._scope = Scope(template, self._note, parameters, known=partial(_known, aws_url))
        common = template.get("Globals") or {}
        self._globals = common.get("Function") or {}
        if others := [section for section in common if section != "Function"]:
            self._note(f"Globals: without effect here: {', '.join(others)}")
        self._check_runtime = check_runtime
        self._left_out: dict[str, CannotRunHere] = {}
        self._layer_places: dict[str, Path] = {}
        self._pushes = Pushes(self._is_left_out)

    def project(self) -> Project:
        resources = {
            logical_id: resource
            for logical_id, resource in self._scope.resources.items()
            if self._scope.is_made(logical_id)
        }
        for logical_id, resource in resources.items():
            if resource.get("Type") in _LAYERS:
                self._layer(logical_id, resource)
        kinds: dict[str, Callable[[str, dict[str, Any]], None]] = {
            _SAM: partial(self._if_it_runs, self._sam_function),
            _CFN: partial(self._if_it_runs, self._function),
            VERSION: self._version,
            ALIAS: self._alias,
            "AWS::Lambda::Url": self._url,
            "AWS::Lambda::EventInvokeConfig": self._event_invoke_config,
        }
        if self._made:
            kinds["AWS::Lambda::EventSourceMapping"] = self._mapping
            kinds["AWS::Events::Rule"] = self._pushes.add_rule
        for kind, read in kinds.items():
            for logical_id, resource in resources.items():
                if resource.get("Type") == kind:
                    read(logical_id, self._scope.properties_of(logical_id))
        self._make(resources)
        others = [
            f"{logical_id} ({resource.get('Type')})"
            for logical_id, resource in resources.items()
            if resource.get("Type") not in (*_LAYERS, *kinds, *self._made)
        ]
        if others:
            self._note(f"resources that are not made here: {', '.join(others)}")
        self._project.pushes = self._pushes.calls()
        if not self._project.places:
            for reason in self._left_out.values():
                raise reason
        return self._project

    # --- Resources --------------------------------------------------------------------------

    def _layer(self, logical_id: str, resource: dict[str, Any]) -> None:
        properties = self._scope.properties_of(logical_id)
        name = properties.get("LayerName", logical_id)
        member = _LAYERS[resource["Type"]]
        said = asset(resource.get("Metadata") or {}, member) or properties.get(member, ".")
        place = self._directory(said, logical_id)
        body: dict[str, Any] = {"Content": in_place(place)}
        body |= kept(properties, ("Description", "CompatibleRuntimes", "LicenseInfo"))
        self._project.calls.append(ApiCall("PublishLayerVersion", {"layer_name": name}, body))
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:1"
        self._scope.layers[logical_id] = arn
        self._layer_places[arn] = place

    def _if_it_runs(
        self,
        read: Callable[[str, dict[str, Any]], None],
        logical_id: str,
        properties: dict[str, Any],
    ) -> None:
        """A function that cannot run here keeps the others from nothing."""
        try:
            read(logical_id, properties)
        except CannotRunHere as reason:
            self._left_out[self._scope.name_of(logical_id)] = reason
            self._note(f"{reason}; it is left out, with what belongs to it")

    def _is_left_out(self, function: object) -> bool:
        """`function`: a name or an ARN, with a qualifier or without."""
        text = str(function)
        return (text.partition(":function:")[2] or text).partition(":")[0] in self._left_out

    def _sam_function(self, logical_id: str, own: dict[str, Any]) -> None:
        properties = merged(self._scope.resolve_at("Globals", self._globals), own)
        name = properties.get("FunctionName", logical_id)
        metadata = self._scope.resources[logical_id].get("Metadata") or {}
        if properties.get("PackageType") == "Image":
            properties = self._from_image(name, metadata, properties)
        self._check(name, properties)
        if "InlineCode" in properties:
            code = {"ZipFile": inline(properties["InlineCode"])}
        else:
            code = self._code(name, asset(metadata, "CodeUri") or properties.get("CodeUri", "."))
        self._leave_out(name, properties, {*_SAME, *_BOTH, *_SAM_ONLY, "Events"})
        for event, said in (properties.get("Events") or {}).items():
            self._event(name, properties, event, said)
        body = self._configuration(name, properties, code)
        if "Tracing" in properties:
            body["TracingConfig"] = {"Mode": properties["Tracing"]}
        if "DeadLetterQueue" in properties:
            body["DeadLetterConfig"] = {"TargetArn": properties["DeadLetterQueue"]["TargetArn"]}
        self._create(name, properties, body)
        self._publish(name, properties)
        if "FunctionUrlConfig" in properties:
            self._call("CreateFunctionUrlConfig", name, properties["FunctionUrlConfig"])
        if "EventInvokeConfig" in properties:
            said, alias = properties["EventInvokeConfig"], properties.get("AutoPublishAlias")
            self._handle_events(name, said, alias)

    def _from_image(
        self, name: str, metadata: dict[str, Any], properties: dict[str, Any]
    ) -> dict[str, Any]:
        """The properties of a function of this Python with the code of the image's context."""
        code = image_code(name, metadata, properties.get("ImageConfig") or {}, self._home)
        self._note(f"{name}: no image is built: {code.context} runs on this Python as it is")
        own = {"CodeUri": code.context, "Handler": code.handler, "Runtime": _THIS_PYTHON}
        return properties | own

    def _check(self, name: str, properties: dict[str, Any]) -> None:
        """Raise CannotRunHere for a function whose runtime does not run here."""
        try:
            self._check_runtime(str(properties.get("Runtime", _THIS_PYTHON)))
        except InvalidParameterValue as refusal:
            raise CannotRunHere(f"function {name}: {str(refusal).rstrip('.')}") from refusal

    def _make(self, resources: Mapping[str, Any]) -> None:
        """What is no function, each after what it refers to."""
        made = {name: each for name, each in resources.items() if each.get("Type") in self._made}
        for logical_id in in_order(made):
            kind = made[logical_id]["Type"]
            properties = self._scope.properties_of(logical_id)
            name = self._scope.name_of(logical_id)
            self._leave_out(logical_id, properties, KINDS[kind])
            for call in calls_to_make(kind, name, properties):
                if call.operation == "subscribe":
                    self._pushes.add_subscription(call)
                else:
                    self._project.resources.append(call)
            if kind == "AWS::S3::Bucket":
                self._pushes.add_bucket(name, properties)

    def _event(
        self, name: str, properties: dict[str, Any], event: str, said: dict[str, Any]
    ) -> None:
        """An event of SAM: a mapping of a queue or a stream, or what pushes, if there is an AWS."""
        members = dict(said.get("Properties") or {})
        kind = str(said.get("Type"))
        source = _EVENT_SOURCES.get(kind)
        alias = properties.get("AutoPublishAlias")
        function = name if alias is None else f"{name}:{alias}"
        if source is None or not self._made:
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
            label = f"{name}-{event}"
            if not self._made or not self._pushes.add_event(kind, label, arn, members):
                self._note(f"{name}: event {event} ({kind}) is not delivered here")
            return
        failure = (members.get("DestinationConfig") or {}).get("OnFailure")
        if failure:
            destination = {"Destination": failure["Destination"]}
            members["DestinationConfig"] = {"OnFailure": destination}
        body = {"FunctionName": function, "EventSourceArn": members.pop(source), **members}
        self._project.mappings.append(ApiCall("CreateEventSourceMapping", body=body))

    def _mapping(self, _logical_id: str, properties: dict[str, Any]) -> None:
        if not self._is_left_out(properties.get("FunctionName")):
            call = ApiCall("CreateEventSourceMapping", body=dict(properties))
            self._project.mappings.append(call)

    def _function(self, logical_id: str, properties: dict[str, Any]) -> None:
        name = properties.get("FunctionName", logical_id)
        self._check(name, properties)
        metadata = self._scope.resources[logical_id].get("Metadata") or {}
        code = properties.get("Code", ".")
        if isinstance(code, dict) and "ZipFile" in code:
            code = {"ZipFile": inline(code["ZipFile"])}
        else:
            code = self._code(name, asset(metadata, "Code") or code)
        self._leave_out(name, properties, {*_SAME, *_BOTH, *_CFN_ONLY})
        body = self._configuration(name, properties, code)
        body |= kept(properties, ("TracingConfig", "DeadLetterConfig"))
        tags = properties.get("Tags")
        if isinstance(tags, list):
            properties = properties | {"Tags": {tag["Key"]: tag["Value"] for tag in tags}}
        self._create(name, properties, body)

    def _url(self, logical_id: str, properties: dict[str, Any]) -> None:
        self._leave_out(logical_id, properties, {*_URL, "TargetFunctionArn", "Qualifier"})
        query = kept(properties, ("Qualifier",))
        body = kept(properties, _URL)
        self._call("CreateFunctionUrlConfig", properties["TargetFunctionArn"], body, query)

    def _version(self, logical_id: str, properties: dict[str, Any]) -> None:
        self._leave_out(logical_id, properties, {"FunctionName", "Description", _PROVISIONED})
        name = properties["FunctionName"]
        self._call("PublishVersion", name, kept(properties, ("Description",)))
        self._provision(name, properties, FIRST)

    def _alias(self, logical_id: str, properties: dict[str, Any]) -> None:
        known = ("Name", "FunctionVersion", "Description")
        self._leave_out(logical_id, properties, {*known, "FunctionName", _PROVISIONED})
        body = kept(properties, known)
        name = properties["FunctionName"]
        self._call("CreateAlias", name, body)
        self._provision(name, properties, properties["Name"])

    def _provision(self, name: str, properties: dict[str, Any], qualifier: str) -> None:
        if _PROVISIONED in properties:
            query = {"Qualifier": qualifier}
            body = properties[_PROVISIONED]
            self._call("PutProvisionedConcurrencyConfig", name, body, query)

    def _event_invoke_config(self, _logical_id: str, properties: dict[str, Any]) -> None:
        qualifier = properties.get("Qualifier", LATEST)
        self._handle_events(properties["FunctionName"], properties, qualifier)

    def _handle_events(self, name: str, said: dict[str, Any], qualifier: str | None) -> None:
        """After all functions are there, for one may be another's destination."""
        for target in made_by_sam(said):
            self._note(f"{name}: no destination is made for {target}")
        body = event_invoke_body(said)
        if body and not self._is_left_out(name):
            query = {"Qualifier": qualifier or LATEST}
            params = {"function_name": name}
            call = ApiCall("PutFunctionEventInvokeConfig", params, body, query)
            self._project.mappings.append(call)

    # --- Functions --------------------------------------------------------------------------

    def _configuration(
        self, name: str, properties: dict[str, Any], code: dict[str, str]
    ) -> dict[str, Any]:
        body = {"FunctionName": name, "Role": _ROLE, "Code": code, **kept(properties, _SAME)}
        variables = body.get("Environment", {}).get("Variables")
        if variables:
            texts = {key: text_of(value) for key, value in variables.items()}
            body["Environment"] = {"Variables": texts}
        if properties.get("Layers"):
            body["Layers"] = properties["Layers"]
            places = [
                self._layer_places[arn] for arn in body["Layers"] if arn in self._layer_places
            ]
            self._project.places.setdefault(name, []).extend(places)
        return body

    def _create(self, name: str, properties: dict[str, Any], body: dict[str, Any]) -> None:
        if properties.get("Tags"):
            body["Tags"] = {key: text_of(value) for key, value in properties["Tags"].items()}
        self._project.places.setdefault(name, [])
        self._project.calls.append(ApiCall("CreateFunction", body=body))
        if "ReservedConcurrentExecutions" in properties:
            count = properties["ReservedConcurrentExecutions"]
            self._call("PutFunctionConcurrency", name, {"ReservedConcurrentExecutions": count})

    def _publish(self, name: str, properties: dict[str, Any]) -> None:
        alias = properties.get("AutoPublishAlias")
        if alias is None:
            return
        self._call("PublishVersion", name, {})
        self._call("CreateAlias", name, {"Name": alias, "FunctionVersion": FIRST})
        self._provision(name, properties, alias)

    def _code(self, name: str, said: Any) -> dict[str, str]:
        if not isinstance(said, str) or said.startswith("s3://"):
            raise CannotRunHere(f"function {name}: its code is not on this machine, but at {said}")
        place = self._directory(said, name)
        self._project.places.setdefault(name, []).append(place)
        return in_place(place)

    def _directory(self, said: str, name: str) -> Path:
        place = (self._home / said).resolve()
        if not place.is_dir():
            raise SetupError(f"{name}: there is no directory {place}")
        return place

    def _leave_out(self, name: str, properties: dict[str, Any], known: Container[str]) -> None:
        """Say what a function or a resource has that means nothing here."""
        left = [member for member in properties if member not in known]
        if left:
            self._note(f"{name}: without effect here: {', '.join(left)}")

    def _call(
        self,
        operation: str,
        name: str,
        body: dict[str, Any],
        query: dict[str, str] | None = None,
    ) -> None:
        if not self._is_left_out(name):
            params = {"function_name": name}
            self._project.calls.append(ApiCall(operation, params, body, query or {}))

    def _note(self, text: str) -> None:
        if text not in self._project.notes:
            self._project.notes.append(text)


def _known(aws_url: str | None, kind: str, name: str) -> Mapping[str, str]:
    return {} if aws_url is None else known_of(kind, name, aws_url)
