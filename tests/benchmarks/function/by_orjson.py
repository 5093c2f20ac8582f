"""The same function with JSON by orjson."""

from app import handler  # type: ignore[import-not-found]  # its own directory is on the path

from lambda_runtime import OrjsonCodec, use_codec

__all__ = ["handler"]

use_codec(OrjsonCodec())
