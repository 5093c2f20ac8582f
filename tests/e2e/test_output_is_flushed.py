from __future__ import annotations

import io
from pathlib import Path

from rapid_mock import LocalLambda

SOURCE = """
import os

def handler(event, context):
    if "end" in event:
        os._exit(1)
    print("half a line", end="")
"""


def test_output_without_a_line_end_is_not_lost(tmp_path: Path) -> None:
    """What an invocation printed is in its log, even when the process dies in the next one."""
    (tmp_path / "app.py").write_text(SOURCE)
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function("f", handler="app.handler", code=tmp_path)
        assert "half a line\nEND RequestId" in function.invoke({}).logs
        assert "half a line" not in function.invoke({"end": True}).logs
