"""cfn-lint and the SAM translator, in a venv of their own that is made once and kept in `.cache/`.

A test that asks for the fixture `sam_tools` is marked `network` by `tests/conftest.py`:

    def test_the_template(sam_tools: SamTools) -> None:
        assert sam_tools.complaints(EXAMPLE / "template.yaml") == []
        resources = sam_tools.translated(EXAMPLE / "template.yaml")["Resources"]
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.tool_venv import tool_venv

TOOLS = ("cfn-lint==1.58.0", "aws-sam-translator==1.115.0")
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
        with tempfile.TemporaryDirectory() as scratch:
            deployed = Path(scratch) / "translated.json"
            try:
                deployed.write_text(json.dumps(self.translated(template)))
            except ValueError as refusal:
                return [*self._linted(template), str(refusal)]
            return self._linted(template, deployed)

    def translated(self, template: Path) -> dict[str, Any]:
        """The CloudFormation template that the SAM template stands for.

        Raises `ValueError` with the translator's words when it refuses.
        """
        done = self._run(str(TRANSLATION), template)
        if done.returncode:
            raise ValueError(done.stderr.strip())
        resources: dict[str, Any] = json.loads(done.stdout)
        return resources

    def _linted(self, *templates: Path) -> list[str]:
        options = ("--include-checks", "I", "--format", "parseable")
        done = self._run("-c", CFN_LINT, *options, *templates)
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


def fetch_sam_tools() -> SamTools:
    """The tools, from the cache or installed there."""
    return SamTools(tool_venv("sam-tools", *TOOLS) / "python")
