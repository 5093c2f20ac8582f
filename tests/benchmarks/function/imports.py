"""A handler that, as most do, imports json and logging."""

from __future__ import annotations

import json
import logging

logger = logging.getLogger(__name__)


def handler(event: object, context: object) -> object:  # noqa: ARG001  the handler's signature
    logger.debug("%s", json)
    return event
