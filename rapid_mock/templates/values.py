"""What values of templates become for the Lambda API."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOCAL_BUCKET = "hot-reload"


def merged(common: Any, own: Any) -> Any:
    """Globals under a function's own: maps member by member, lists one after the other (SAM)."""
    if isinstance(common, dict) and isinstance(own, dict):
        both = {name: merged(common[name], own[name]) for name in common if name in own}
        return {**common, **own, **both}
    if isinstance(common, list) and isinstance(own, list):
        return [*common, *own]
    return own


def kept(properties: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The members that are there, of these names."""
    return {name: properties[name] for name in names if name in properties}


def in_place(directory: Path) -> dict[str, str]:
    """Code or content that is a directory here; see `CreateFunction`."""
    return {"S3Bucket": LOCAL_BUCKET, "S3Key": str(directory)}


def inline(source: str) -> str:
    """Source text as the archive that the API takes; CloudFormation calls the file index."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", source)
    return base64.b64encode(packed.getvalue()).decode()


def text_of(value: Any) -> str:
    """A variable's value as CloudFormation makes it a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
