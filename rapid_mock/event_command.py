"""`rapid-mock event`: prints the events of `rapid_mock.events`, one option per argument."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rapid_mock import events
from rapid_mock.errors import SetupError

Factory = Callable[..., events.Event]

FACTORIES: dict[str, Factory] = {
    name: getattr(events, name) for name in events.__all__ if name not in {"Event", "merge"}
}


def print_event(arguments: argparse.Namespace) -> int:
    """Print the named event as JSON, or without a name the names; returns exit code 0.

    Raises SetupError when there is no such event or the options do not make one.
    """
    if arguments.shape is None:
        sys.stdout.writelines(f"{name:16}{_summary(FACTORIES[name])}\n" for name in FACTORIES)
        return 0
    if arguments.shape not in FACTORIES:
        raise SetupError(f"no event is called {arguments.shape}; there are: {', '.join(FACTORIES)}")
    factory = FACTORIES[arguments.shape]
    given = vars(_parser_of(arguments.shape, factory).parse_args(arguments.fields))
    try:
        event = factory(*given.pop("values"), **given)
    except ValueError as error:
        raise SetupError(str(error)) from error
    sys.stdout.write(json.dumps(event, indent=2) + "\n")
    return 0


def _summary(factory: Factory) -> str:
    return (inspect.getdoc(factory) or "").partition("\n")[0]


def _parser_of(name: str, factory: Factory) -> argparse.ArgumentParser:
    """Options from the factory's signature: what is not given is left to its defaults."""
    parser = argparse.ArgumentParser(
        prog=f"rapid-mock event {name}",
        description=inspect.getdoc(factory),
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(values=[])
    for field in inspect.signature(factory).parameters.values():
        read = _reader(str(field.annotation))
        flag = f"--{field.name.replace('_', '-')}"
        if field.kind is field.VAR_POSITIONAL:
            parser.add_argument("values", nargs="*", type=read, metavar=field.name, default=[])
        elif field.annotation == "bool":
            parser.add_argument(flag, action="store_true")
        elif str(field.annotation).startswith("Sequence"):
            parser.add_argument(flag, action="append", type=read, help="(repeatable)")
        else:
            parser.add_argument(flag, type=read, help=_default_text(field.default))
    return parser


def _default_text(default: object) -> str | None:
    return None if default in (None, "") else f"(default: {default})"


def _reader(annotation: str) -> Callable[[str], Any]:
    """How an option's text becomes the argument that is annotated so."""
    if annotation.startswith("int"):
        return int
    if annotation == "Moment":
        return _moment
    return _json if annotation.startswith(("Mapping", "Query")) else str


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {text[:80]}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"not a JSON object: {text[:80]}")
    return value


def _moment(text: str) -> datetime | float:
    """Epoch seconds, or a time as `2026-01-31T12:00:00Z`."""
    try:
        return float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(
                f"neither epoch seconds nor an ISO 8601 time: {text}"
            ) from error
