"""cfn-lint and the SAM translator, in a venv of their own that is made once and kept in `.cache/`.

A test that asks for the fixture `sam_tools` is marked `network` by `tests/conftest.py`:

    def test_the_template(sam_tools: SamTools) -> None:
        assert sam_tools.complaints(EXAMPLE / "template.yaml") == []
        resources = sam_tools.translated(EXAMPLE / "template.yaml")["Resources"]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.peers import CACHE, PeerUnavailable

TOOLS = ("cfn-lint==1.58.0", "aws-sam-translator==1.115.0")
INSTALL_SECONDS = 280
RUN_SECONDS = 60
CFN_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"
TRANSLATION = Path(__file__).with_name("sam_translation.py")


@dataclass(frozen=True)
class SamTools:
    """`python` is the interpreter of the venv that holds the tools."""

    python: Path

    def complaints(self, template: Path) -> list[str]:
        """What the tools say about the template and about what it becomes.

        cfn-lint with its informational remarks, one a line; the translator's words when it refuses.
        """
        found = self._linted(template)
        try:
            translated = self.translated(template)
        except ValueError as refusal:
            return [*found, str(refusal)]
        with tempfile.TemporaryDirectory() as scratch:
            deployed = Path(scratch) / "translated.json"
            deployed.write_text(json.dumps(translated))
            return found + self._linted(deployed)

    def translated(self, template: Path) -> dict[str, Any]:
        """The CloudFormation template that the SAM template stands for.

        Raises `ValueError` with the translator's words when it refuses.
        """
        done = self._run(str(TRANSLATION), template)
        if done.returncode:
            raise ValueError(done.stderr.strip())
        resources: dict[str, Any] = json.loads(done.stdout)
        return resources

    def _linted(self, template: Path) -> list[str]:
        options = ("--include-checks", "I", "--format", "parseable")
        done = self._run("-c", CFN_LINT, *options, template)
        return done.stdout.splitlines() + done.stderr.splitlines()

    def _run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *map(str, arguments)],
            env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )


def fetch_sam_tools(cache: Path = CACHE) -> SamTools:
    """The tools, from `cache` or installed there; two sessions may do so at once."""
    wanted = "\n".join([*TOOLS, sys.version]).encode()
    target = cache / f"sam-tools-{hashlib.sha256(wanted).hexdigest()[:12]}"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            staged = Path(scratch) / "venv"
            venv.create(staged, with_pip=True)
            _install(staged)
            with contextlib.suppress(OSError):  # another session was faster
                staged.rename(target)
    return SamTools(target / "bin" / "python")


def _install(staged: Path) -> None:
    command = [str(staged / "bin" / "python"), "-m", "pip", "install", "--quiet", *TOOLS]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        raise PeerUnavailable(f"pip could not install the SAM tools: {done.stderr.strip()}")
