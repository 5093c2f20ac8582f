"""Tells what is not as on Lambda where a function's layers are not its /opt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapid_mock.host.mounts import name_opt

if TYPE_CHECKING:
    from rapid_mock.console import Console
    from rapid_mock.host.environments import FunctionDefinition


class OptAdvice:
    """Says of each function once that its layers are directories, and which scripts miss /opt."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()

    def tell(self, definition: FunctionDefinition) -> None:
        """A version of a function was deployed."""
        name = definition.settings.name
        if definition.layers and name not in self._told:
            self._told.add(name)
            self._console.explain(
                f"the layers of {name} are directories on its search paths; "
                "with --isolation namespace they are its /opt"
            )
        if definition.mounts is None:
            for launcher in name_opt(definition.launchers()):
                self._console.explain(
                    f"{launcher.name} names something in /opt that is not there: "
                    "with --isolation namespace its layer is"
                )
