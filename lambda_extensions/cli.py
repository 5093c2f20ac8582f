"""`python -m lambda_extensions`: build the layer of an extension, check any layer, run it here."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from lambda_extensions.layer import ARCHITECTURES, CannotBuild, build
from lambda_extensions.layer_check import check

EXIT_FINDINGS, EXIT_USAGE = 1, 2
OLDEST = 11
"""The minor version of the oldest Python 3 that this package runs on."""

STUB = """\
def handler(event, context):
    print("the stub function got", event)
    return event
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 1 for findings or a failing run, 2 for what cannot be done."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except (CannotBuild, OSError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"lambda_extensions: {error}\n")
        return EXIT_USAGE


def _build(given: argparse.Namespace) -> int:
    name = given.name or Path(given.source).resolve().stem
    output = Path(given.output or f"{name}.zip")
    warnings = build(
        Path(given.source),
        name,
        output,
        requirements=given.requirements,
        pythons=given.python,
        arch=given.arch,
        bundled=given.bundle_python,
    )
    for warning in warnings:
        sys.stderr.write(f"lambda_extensions: warning: {warning}\n")
    sys.stderr.write(f"lambda_extensions: {output}: {output.stat().st_size // 1024} kB\n")
    return 0


def _check(given: argparse.Namespace) -> int:
    findings = check(Path(given.layer), given.arch)
    for finding in findings:
        print(finding)  # noqa: T201  the answer
    return EXIT_FINDINGS if any(finding.is_error for finding in findings) else 0


def _run(given: argparse.Namespace) -> int:
    name = given.name or Path(given.source).resolve().stem
    with tempfile.TemporaryDirectory(prefix="lambda-extensions-") as place:
        root = Path(place)
        build(Path(given.source), name, root / "layer.zip", requirements=given.requirements)
        unpack(root / "layer.zip", root / "opt")
        (root / "app.py").write_text(STUB)
        command = [sys.executable, "-m", "rapid_mock", "invoke", "app.handler", "--code", place]
        command += ["--event", given.event, "--extension", str(root / "opt" / "extensions")]
        return subprocess.run(command, check=False).returncode


def unpack(layer: Path, place: Path) -> None:
    """Unzip with unix modes and links, as Lambda does."""
    with zipfile.ZipFile(layer) as archive:
        for entry in archive.infolist():
            target = Path(archive.extract(entry, place))
            mode = entry.external_attr >> 16
            if mode & 0o170000 == 0o120000:
                link = target.read_text()
                target.unlink()
                target.symlink_to(link)
            elif mode:
                target.chmod(mode & 0o777)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lambda_extensions", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    making = commands.add_parser("build", help="make the layer of an extension")
    making.add_argument("-o", "--output", metavar="ZIP", help="default: NAME.zip")
    making.add_argument("--python", type=_versions, default=(), metavar="3.12,3.13")
    making.add_argument("--arch", choices=ARCHITECTURES, default="x86_64")
    making.add_argument(
        "--bundle-python", type=Path, metavar="DIR", help="bring this Python along (bin/python3)"
    )
    making.set_defaults(command=_build)
    running = commands.add_parser("run", help="run it beside a stub function under rapid-mock")
    running.add_argument("-e", "--event", default="{}", help="as rapid-mock invoke takes it")
    running.set_defaults(command=_run)
    for command in (making, running):
        command.add_argument("source", help="a Python file, or a directory with main.py")
        command.add_argument("--name", help="the extension's name; default: the source's")
        command.add_argument("-r", "--requirements", type=Path, metavar="FILE")
    checking = commands.add_parser("check", help="say what is wrong with a layer, and its mend")
    checking.add_argument("layer", metavar="ZIP")
    checking.add_argument("--arch", choices=ARCHITECTURES, help="the functions' architecture")
    checking.set_defaults(command=_check)
    return parser


def _versions(text: str) -> tuple[str, ...]:
    versions = tuple(text.split(","))
    for version in versions:
        major, _, minor = version.partition(".")
        if major != "3" or not minor.isdecimal():
            raise argparse.ArgumentTypeError(f"{version!r} is no version such as 3.12")
        if int(minor) < OLDEST:
            text = f"{version} is too old: an extension needs Python 3.{OLDEST} or later"
            raise argparse.ArgumentTypeError(text)
    return versions
