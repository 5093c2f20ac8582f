"""`--config`: every function of a project file or a template, made in a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rapid_mock.console import Console
from rapid_mock.errors import CallFailed, ServiceError, SetupError
from rapid_mock.host.service import LambdaService
from rapid_mock.service.function_urls import BUFFERED, RESPONSE_STREAM

if TYPE_CHECKING:
    from rapid_mock.templates.resources import AwsCall

URL_MODES = {"buffered": BUFFERED, "stream": RESPONSE_STREAM}


class Made(NamedTuple):
    """What a configuration made: the directories of each function, and what is still to be asked.

    `pushes` are the calls by which topics, buckets and rules come to know functions.
    """

    places: dict[str, list[Path]]
    pushes: list[AwsCall]


async def make_functions(
    service: LambdaService, path: Path, console: Console, parameters: Mapping[str, str]
) -> Made:
    """Make every function that the file describes; `parameters` are those of a template.

    `rapid_mock.toml`, or any `.toml`; anything else is a SAM or CloudFormation template. What has
    no effect is told on the console. Raises SetupError that names the file and what is wrong.
    """
    if not path.is_file():  # noqa: ASYNC240  nobody is served yet
        raise SetupError(f"there is no file {path}")
    if path.suffix == ".toml":
        made = Made(_make_project(service, path, console), [])
    else:
        made = await _make_template(service, path, console, parameters)
    console.explain(f"{path.name}: functions {', '.join(sorted(made.places)) or 'none'}")
    return made


async def push(service: LambdaService, calls: Iterable[AwsCall], file_name: str) -> None:
    """Have topics, buckets and rules push at functions, once the service is served.

    Raises SetupError that names the file and what is wrong.
    """
    for each in calls:
        try:
            await service.call_gateway(each.service, each.operation, each.arguments)
        except CallFailed as failure:
            sentence = f"{each.service} {each.operation}: {failure.code}: {failure}"
            raise SetupError(f"{file_name}: {sentence}") from failure


def _make_project(service: LambdaService, path: Path, console: Console) -> dict[str, list[Path]]:
    from rapid_mock.templates.project_file import read_project_file

    places = {}
    for function in read_project_file(path):
        service.create_function(function.name, function.options)
        if function.url is not None:
            url = service.create_url(function.name, mode=URL_MODES[function.url])
            console.explain(f"function URL of {function.name}: {url}")
        extensions = map(Path, function.options.extensions)
        places[function.name] = [Path(function.options.code), *extensions]
    return places


async def _make_template(
    service: LambdaService, path: Path, console: Console, parameters: Mapping[str, str]
) -> Made:
    from rapid_mock.templates.template import read_project

    project = read_project(path, service.aws_url, parameters, service.check_runtime)
    for note in project.notes:
        console.explain(f"{path.name}: {note}")
    learned = await _make_resources(service, project.resources, path.name)
    for each in [*project.calls, *project.mappings]:
        try:
            body = _with_learned(each.body, learned)
            answer = await service.call(each.operation, each.params, body, each.query)
        except ServiceError as refusal:
            name = each.body.get("FunctionName") or each.params.get("function_name", "")
            raise SetupError(f"{path.name}: {each.operation} {name}: {refusal}") from refusal
        if each.operation == "CreateFunctionUrlConfig" and answer is not None:
            alias = each.query.get("Qualifier")
            name = each.params["function_name"].rpartition(":")[2] + (f":{alias}" if alias else "")
            console.explain(f"function URL of {name}: {answer['FunctionUrl']}")
    return Made(project.places, project.pushes)


async def _make_resources(
    service: LambdaService, calls: Iterable[AwsCall], file_name: str
) -> dict[str, str]:
    """Make what is not there yet; returns what placeholders stand for."""
    from rapid_mock.templates.resources import EXISTS

    learned: dict[str, str] = {}
    for each in calls:
        try:
            answer = await service.call_aws(each.service, each.operation, each.arguments)
        except CallFailed as failure:
            if failure.code not in EXISTS:
                sentence = f"{each.service} {each.operation}: {failure.code}: {failure}"
                raise SetupError(f"{file_name}: {sentence}") from failure
        else:
            learned |= each.learned(answer)
    return learned


def _with_learned(value: Any, learned: Mapping[str, str]) -> Any:
    """A value with its placeholders replaced."""
    if isinstance(value, str):
        return learned.get(value, value)
    if isinstance(value, list):
        return [_with_learned(each, learned) for each in value]
    if isinstance(value, dict):
        return {name: _with_learned(each, learned) for name, each in value.items()}
    return value
