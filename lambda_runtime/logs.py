"""The root logger's handler, filter and formatters. Loaded when `logging` is.

Records and class names are those of AWS's Python client, for instrumentation libraries look for
them. Mended: milliseconds in JSON, tracebacks that end in a line break, records left as they are,
no `taskName` among the extras.
"""

from __future__ import annotations

import logging
import time
from os import environ

from lambda_runtime import contract, current, sink
from lambda_runtime.json_record import details, line, timestamp

_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}
_STANDARD_NAMES = {
    *vars(logging.makeLogRecord({})),
    *("message", "asctime", "taskName", "aws_request_id", "tenant_id"),
}


class LambdaLoggerFilter(logging.Filter):
    """Gives each record `aws_request_id` and `tenant_id`, for formats that name them."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = current.present()
        record.aws_request_id = "" if context is None else context.aws_request_id
        record.tenant_id = None if context is None else context.tenant_id
        return True


class LambdaLoggerHandler(logging.Handler):
    """Writes each formatted record to the sink, ended by a line break."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            sink.write(text if text.endswith("\n") else f"{text}\n", level=record.levelno)
        except Exception:  # noqa: BLE001  as every handler of `logging` does
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """`[LEVEL]`, time, request id and message, separated by tabs; then the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"[{record.levelname}]\t{timestamp(record.created)}\t{_request_id(record)}"
        parts = [f"{head}\t{record.getMessage()}"]
        if record.exc_info and record.exc_info[0]:
            parts.append(self.formatException(record.exc_info))
        elif record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts) + "\n"


class JsonFormatter(logging.Formatter):
    """One JSON object on a line; extras follow the fixed members and never replace them."""

    def format(self, record: logging.LogRecord) -> str:
        level = max(logging.NOTSET, min(record.levelno // 10 * 10, logging.CRITICAL))
        members: dict[str, object] = {
            "timestamp": timestamp(record.created),
            "level": logging.getLevelName(level),
            "message": _message(record),
            "logger": record.name,
            **_exception(record),
            "requestId": _request_id(record),
            "location": _location(record),
            "tenantId": getattr(record, "tenant_id", None),
        }
        extras = {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD_NAMES and name not in members
        }
        members.update(extras)
        return line({name: value for name, value in members.items() if value is not None})


def install() -> None:
    """Give the root logger its one handler, and the level of AWS_LAMBDA_LOG_LEVEL."""
    logging.Formatter.converter = time.gmtime  # for users' formats
    handler = LambdaLoggerHandler()
    handler.setFormatter(JsonFormatter() if sink.is_json() else TextFormatter())
    handler.addFilter(LambdaLoggerFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    level = _LEVELS.get(environ.get(contract.ENV_LOG_LEVEL, "").upper())
    if level is not None:
        root.setLevel(level)


def _request_id(record: logging.LogRecord) -> str:
    return getattr(record, "aws_request_id", "") or ""


def _message(record: logging.LogRecord) -> object:
    is_bare = isinstance(record.msg, dict) and not record.args
    return record.msg if is_bare else record.getMessage()


def _exception(record: logging.LogRecord) -> dict[str, object]:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    from lambda_runtime.error_report import ErrorReport

    report = ErrorReport(error)
    return {
        "stackTrace": report.stack_trace,
        "errorType": report.error_type,
        "errorMessage": report.message,
        **details(report),
    }


def _location(record: logging.LogRecord) -> str | None:
    if not record.exc_info or not record.exc_info[0]:
        return None
    return f"{record.pathname}:{record.funcName}:{record.lineno}"
