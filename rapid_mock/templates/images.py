"""A function that is an image, without one: the code of its Docker context, on this Python.

Source: "Building a Docker image" (Metadata), AWS SAM Developer Guide; Dockerfile reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rapid_mock.errors import SetupError
from rapid_mock.templates.code_places import CannotRunHere


class ImageCode(NamedTuple):
    """What an image would be built from, and the handler that its command names."""

    context: str
    handler: str


def image_code(
    name: str, metadata: Mapping[str, Any], image_config: Mapping[str, Any], home: Path
) -> ImageCode:
    """Raises CannotRunHere for an image that is not built from here, SetupError for no handler."""
    context = metadata.get("DockerContext")
    if not isinstance(context, str):
        raise CannotRunHere(f"function {name}: its code is in an image that is not built from here")
    command = image_config.get("Command") or _command(home / context, metadata)
    if not command:
        raise SetupError(f"function {name}: neither ImageConfig nor its Dockerfile has a command")
    return ImageCode(context, str(command[-1]))


def _command(context: Path, metadata: Mapping[str, Any]) -> list[str]:
    """The last CMD of the Dockerfile, in its JSON form."""
    dockerfile = context / str(metadata.get("Dockerfile", "Dockerfile"))
    try:
        lines = dockerfile.read_text("utf-8").splitlines()
    except OSError:
        return []
    for line in reversed(lines):
        word, _, arguments = line.strip().partition(" ")
        if word.upper() == "CMD":
            try:
                said = json.loads(arguments)
            except ValueError:
                return []
            return said if isinstance(said, list) else []
    return []
