"""Several invocations at once, as Lambda Managed Instances hand them out. Start here.

AWS_LAMBDA_MAX_CONCURRENCY is how many. This process forks workers and watches over them (see
`supervisor`); a worker finds the handler and serves one invocation at a time, or all of them in
threads or in tasks of one event loop. Source: "Lambda Managed Instances", AWS Lambda Developer
Guide; AWS's Python client forks a worker per invocation, as `process` does here.
"""

from __future__ import annotations

from os import environ

from lambda_runtime import contract, current
from lambda_runtime.errors import LambdaRuntimeError
from lambda_runtime.handler import find_handler
from lambda_runtime.loop import initialised, report_init_error
from lambda_runtime.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lambda_runtime.client import RuntimeClient
    from lambda_runtime.handler import Handler

FORMS = ("auto", "process", "preload", "thread", "async")
"""A worker process for each invocation, forked after the handler was imported or before; threads;
tasks of one event loop; or by the handler: tasks for coroutines, threads on a free-threaded Python,
else processes."""
ENV_FORM = "LAMBDA_RUNTIME_CONCURRENCY"
_POOL_EVENT = "runtime_worker_pool_initializing"


class InvalidConcurrency(LambdaRuntimeError):
    """Raised when the number or the form of several invocations at once is none."""


def run(client: RuntimeClient, handler: Handler | str) -> NoReturn:
    """Fork the workers; in each of them, serve invocations until the environment ends."""
    count, form = _count(), _form()
    if form == "preload":
        import gc

        if isinstance(handler, str):
            name = handler
            handler = initialised(
                lambda: find_handler(name), lambda report: report_init_error(client, report)
            )
        gc.freeze()  # what is collected no more is not copied when a worker touches it
    place = Supervisor(client, count, _tell_pool).run()
    from lambda_runtime.worker import work

    work(place, client, handler, form)


def _count() -> int:
    text = environ[contract.ENV_MAX_CONCURRENCY]
    if not text.isdecimal() or not int(text):
        raise InvalidConcurrency(f"{contract.ENV_MAX_CONCURRENCY} is {text!r}: not how many")
    return int(text)


def _form() -> str:
    """What the Runtime object says, else the environment."""
    form = current.concurrency or environ.get(ENV_FORM) or FORMS[0]
    if form not in FORMS:
        raise InvalidConcurrency(f"{form!r} is no form of concurrency: {', '.join(FORMS)}")
    return form


def _tell_pool(workers: int, count: int) -> None:
    """The record with which AWS's client announces its workers, where it can be seen."""
    if environ.get(contract.ENV_LOG_LEVEL, "").upper() not in ("DEBUG", "TRACE"):
        return
    import logging

    logging.getLogger().debug(
        {
            "event": _POOL_EVENT,
            "workerCount": workers,
            "executionEnvironmentMaxConcurrency": count,
        }
    )
