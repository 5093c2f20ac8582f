"""`rapid_mock.toml`: functions with everything that the command line can say of one.

[defaults]
timeout = 10

[functions.hello]
handler = "app.handler"
code = "src/hello"
environment = { STAGE = "dev" }
extensions = ["opt/shipper"]
url = "stream"
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapid_mock.errors import SetupError
from rapid_mock.functions import FunctionOptions

URL_MODES = ("buffered", "stream")


@dataclass(frozen=True, slots=True)
class ProjectFunction:
    """A function, and how its URL is served: `buffered`, `stream`, or None for no URL."""

    name: str
    options: FunctionOptions
    url: str | None = None


def read_project_file(path: Path) -> list[ProjectFunction]:
    """Every function of the file; raises SetupError that names what is wrong in it."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError(f"{path.name}: {error}") from error
    _known(document, {"defaults", "functions"}, path.name)
    functions = document.get("functions")
    if not isinstance(functions, dict) or not functions:
        raise SetupError(f"{path.name} has no [functions.NAME]")
    defaults = document.get("defaults", {})
    return [_function(name, {**defaults, **said}, path) for name, said in functions.items()]


def _function(name: str, said: dict[str, Any], path: Path) -> ProjectFunction:
    where = f"{path.name}: function {name}"
    _known(said, {*_MEMBERS, "url"}, where)
    home, members = path.parent.resolve(), {}
    for member, value in said.items():
        if member == "url":
            continue
        kind, read = _MEMBERS[member]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise SetupError(f"{where}: {member} cannot be {value!r}")
        members[member] = read(value, home)
    if members.get("timeout") == 0:
        members["timeout"] = None
    options = FunctionOptions(**{"code": home, **members})
    return ProjectFunction(name, options, _url(said.get("url"), where))


def _url(said: object, where: str) -> str | None:
    mode = "buffered" if said is True else said or None
    if mode is not None and mode not in URL_MODES:
        raise SetupError(f"{where}: url is true, {' or '.join(URL_MODES)}, not {said!r}")
    return None if mode is None else str(mode)


def _known(said: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = [name for name in said if name not in known]
    if unknown:
        raise SetupError(
            f"{where}: unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )


def _as_it_is(value: Any, _home: Path) -> Any:
    return value


def _place(value: str, home: Path) -> Path:
    return (home / value).resolve()


_MEMBERS: dict[str, tuple[type | tuple[type, ...], Callable[[Any, Path], Any]]] = {
    "handler": (str, _as_it_is),
    "code": (str, _place),
    "timeout": ((int, float), _as_it_is),
    "memory": (int, _as_it_is),
    "environment": (dict, lambda value, _: {name: str(each) for name, each in value.items()}),
    "extensions": (list, lambda value, home: [_place(each, home) for each in value]),
    "runtime": (str, lambda value, _: shlex.split(value)),
    "python": (str, _as_it_is),
    "log_format": (str, _as_it_is),
    "log_frames": (bool, _as_it_is),
    "concurrency": (int, _as_it_is),
    "max_concurrency": (int, _as_it_is),
    "snapstart": (bool, _as_it_is),
    "isolation": (str, _as_it_is),
    "ephemeral_storage": (int, _as_it_is),
    "freeze": (bool, _as_it_is),
}
