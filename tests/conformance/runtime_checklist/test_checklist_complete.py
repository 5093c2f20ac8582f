"""The checklist is whole: 133 items, each tested once."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path


def items_of(path: Path) -> list[int]:
    """The numbers of the items that a module's functions are marked with."""
    return [
        number.value
        for function in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(function, ast.FunctionDef)
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "item"
        for number in mark.args[:1]
        if isinstance(number, ast.Constant) and isinstance(number.value, int)
    ]


def test_every_item_is_tested_once() -> None:
    """1 to 133, none twice, none missing."""
    modules = Path(__file__).parent.glob("test_checklist_*.py")
    counted = Counter(number for path in modules for number in items_of(path))
    assert counted == Counter(range(1, 134))
