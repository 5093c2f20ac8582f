"""The same function with responses and polls sent together."""

from app import handler  # type: ignore[import-not-found]  # its own directory is on the path

from lambda_runtime import use_pipelining

__all__ = ["handler"]

use_pipelining()
