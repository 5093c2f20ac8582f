"""Where the code of a template's functions and layers is.

Source: "Accessing Metadata" of assets, AWS CDK Developer Guide, which SAM CLI reads as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapid_mock.errors import SetupError

_PATH, _PROPERTY = "aws:asset:path", "aws:asset:property"


class CannotRunHere(SetupError):
    """Raised for a function whose code is elsewhere, or whose runtime is not here."""


def asset(metadata: Mapping[str, Any], member: str) -> Any:
    """The path that the CDK says of this property's content; None where it says nothing."""
    return metadata.get(_PATH) if metadata.get(_PROPERTY) == member else None
