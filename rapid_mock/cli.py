"""`rapid-mock`: run a function once, or serve it.

Exit codes: 0 result, 1 function error, 2 usage or set-up error (one sentence on stderr).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

EXIT_SETUP = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = build_parser().parse_args(_split_command(sys.argv[1:] if argv is None else argv))
    try:
        from rapid_mock import commands
        from rapid_mock.errors import RapidMockError
    except ModuleNotFoundError as missing:
        return _complain(f"{missing.name} is missing: pip install 'lambda-runtime-sdk[mock]'")
    try:
        code = commands.COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
    except RapidMockError as error:
        return _complain(str(error))
    except BrokenPipeError:
        return _unread()
    return code


def build_parser() -> argparse.ArgumentParser:
    """The command line as documented in the README."""
    parser = argparse.ArgumentParser(
        prog="rapid-mock", description="A local AWS Lambda: real processes, no Docker."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = _shared_options()
    invoke = commands.add_parser(
        "invoke", parents=[shared], help="invoke a handler once; the response goes to stdout"
    )
    invoke.add_argument("handler", nargs="?", default="", help="module.function")
    invoke.add_argument(
        "-e", "--event", default="{}", metavar="-|@FILE|FILE|JSON", help="the event (default {})"
    )
    invoke.add_argument(
        "--tail", action="store_true", help="show only the last 4 KB of log, as LogType=Tail does"
    )
    invoke.add_argument(
        "--stream", action="store_true", help="print a streamed response as it comes"
    )
    invoke.add_argument("--client-context", metavar="JSON", help="the client context")
    invoke.add_argument("--tenant-id", metavar="ID", help="the tenant id")
    start = commands.add_parser(
        "start", parents=[shared], help="serve the Invoke API for boto3, the AWS CLI and curl"
    )
    start.add_argument("handler", nargs="?", default="", help="module.function, or -- CMD ARGS...")
    start.add_argument("--host", default="127.0.0.1", help="address to listen on")
    start.add_argument("--port", type=int, default=9000, help="port to listen on (0: any)")
    start.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="accept this Host header"
    )
    start.add_argument(
        "--attach",
        action="store_true",
        help="you start the runtime, under a debugger for example: prints the variables to set; "
        "the Runtime API gets the port after --port, nothing times out",
    )
    start.add_argument(
        "--url",
        nargs="?",
        choices=("buffered", "stream"),
        const="buffered",
        help="serve the function on a Function URL too, and print it (default: buffered)",
    )
    start.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        metavar="N",
        help="the minutes between the attempts at an event pass N times as fast",
    )
    start.add_argument(
        "--config",
        metavar="FILE",
        help="serve the functions of a rapid_mock.toml, or of a SAM or CloudFormation template",
    )
    start.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template, in place of its default (repeatable)",
    )
    start.add_argument(
        "--aws",
        metavar="embedded|URL",
        help="serve all of AWS at this one endpoint: what is not Lambda goes to an embedded one "
        "(moto), or to the one at URL; event source mappings poll there",
    )
    start.add_argument(
        "--state",
        metavar="DIR",
        help="keep the checkpoints of streams here, for the next start (default: in memory)",
    )
    start.add_argument(
        "--watch",
        action="store_true",
        help="when the code or an extension changes, the next invocation runs it",
    )
    start.add_argument(
        "--freeze",
        action="store_true",
        help="stop all processes of an environment between invocations, as Lambda does",
    )
    start.add_argument(
        "--throttle-streams",
        action="store_true",
        help="streamed responses get Lambda's bandwidth: 6 MiB at once, then 2 MiB/s",
    )
    start.add_argument(
        "--idle-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="end environments that were not used for so long (at most twice as long)",
    )
    event = commands.add_parser("event", help="print a realistic event of an AWS service")
    event.add_argument("shape", nargs="?", help="its name (none: list the names)")
    event.add_argument("fields", nargs=argparse.REMAINDER, help="[--field value]")
    return parser


def _unread() -> int:
    """Whoever read our output has gone, as `head` does: end as other programs then do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    return 128 + signal.SIGPIPE


def _complain(sentence: str) -> int:
    sys.stderr.write(f"rapid-mock: {sentence}\n")
    return EXIT_SETUP


def _shared_options() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    add = shared.add_argument
    add("--name", default="function", help="the function's name")
    add("--code", default=".", metavar="DIR", help="the function's code (default: here)")
    add("--python", metavar="PATH", help="the Python to run it (default: this one)")
    add("--runtime", metavar="CMD", help="start this instead of PYTHON -m lambda_runtime HANDLER")
    add("--extension", action="append", default=[], metavar="PATH", help="executable or directory")
    add("--timeout", type=float, default=3.0, metavar="SECONDS", help="function timeout")
    add("--no-timeout", action="store_true", help="let nothing time out (for debuggers)")
    add("--memory", type=int, default=128, metavar="MB", help="memory size")
    add("--env", action="append", default=[], metavar="K=V", help="an environment variable")
    add("--log-format", choices=("text", "json"), help="format of the logs (default: text)")
    add(
        "--log-frames",
        action="store_true",
        help="give the runtime a descriptor for framed log messages (_LAMBDA_TELEMETRY_LOG_FD)",
    )
    add("--concurrency", type=int, default=10, metavar="N", help="most environments at once")
    add(
        "--max-concurrency",
        type=int,
        metavar="N",
        help="Lambda Managed Instances: N invocations at once in each environment",
    )
    add(
        "--snapstart",
        action="store_true",
        help="init ends at a snapshot, from which the first invocation restores",
    )
    add(
        "--isolation",
        choices=("none", "namespace"),
        default="none",
        help="namespace (Linux): Lambda's own /var/task, /opt and /tmp, and sandbox.localdomain",
    )
    add(
        "--ephemeral-storage",
        type=int,
        default=512,
        metavar="MB",
        help="size of /tmp, with --isolation namespace",
    )
    credentials = shared.add_mutually_exclusive_group()
    credentials.add_argument("--profile", metavar="NAME", help="hand on this AWS profile's keys")
    credentials.add_argument(
        "--pass-credentials", action="store_true", help="hand on the AWS_* keys set here"
    )
    add("--as-image", action="store_true", help=argparse.SUPPRESS)
    return shared


def _split_command(argv: Sequence[str]) -> list[str]:
    """Turn `start ... -- CMD ARGS...` into `--runtime`, quoted so that it comes apart the same.

    It is the entry point of an image then, whose extensions lie where AWS looks for them.
    """
    arguments = list(argv)
    if "--" not in arguments:
        return arguments
    import shlex

    where = arguments.index("--")
    command = shlex.join(arguments[where + 1 :])
    return [*arguments[:where], "--as-image", "--runtime", command]
