"""`rapid-mock start --watch`: code that is edited while it is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.command_line import Serving, write_code

SOURCE = "import os\ndef handler(event, context):\n    return [{}, os.getpid()]\n"


def invoke(serving: Serving) -> Any:
    url = f"{serving.url}/2015-03-31/functions/function/invocations"
    with urlopen(Request(url, b"{}"), timeout=20) as answer:
        return json.loads(answer.read())


def test_edited_code_is_live(tmp_path: Path) -> None:
    """An edit is told and live with the next invocation; a typo is told and changes nothing."""
    code = write_code(tmp_path / "code", SOURCE.format(1))
    with Serving("app.handler", "--code", str(code), "--watch") as serving:
        first = invoke(serving)
        assert first[0] == 1
        (code / "app.py").write_text(SOURCE.format(2))
        serving.wait_for("app.py changed: the next invocation of function runs it")
        second = invoke(serving)
        assert (second[0], second[1] != first[1]) == (2, True)
        (code / "app.py").write_text("def handler(:\n")
        serving.wait_for("app.py, line 1: ")
        assert invoke(serving) == second
        assert serving.stop() == 0
