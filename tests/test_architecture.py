"""The house rules, held by walking the imports of the three packages.

Every rule is a function from sources (module name to text) to complaints, so that each test can
also be shown a planted violation.
"""

from __future__ import annotations

import ast
import graphlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Sources = Mapping[str, str]
    Rule = Callable[[Sources], list[str]]

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("lambda_runtime", "lambda_extensions", "rapid_mock")
PURE = ("rapid_mock.lifecycle", "rapid_mock.service")
IMPURE_MODULES = frozenset(
    {
        *("asyncio", "socket", "time", "datetime", "random", "uuid", "secrets"),
        *("logging", "threading", "subprocess", "os"),
    }
)
DRIVER = "rapid_mock.host.driver"
CORE = "rapid_mock.lifecycle.environment"
CORE_CALLS = frozenset({"handle", "handle_timeout"})
MAX_LINES = 400


@dataclass(frozen=True)
class Import:
    """One imported module, as one module's source names it."""

    importer: str
    target: str
    line: int
    is_run_time: bool
    is_module_level: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


# --- Reading ----------------------------------------------------------------------------------


def read_sources() -> dict[str, str]:
    """Every module of the three packages; a package goes by its own name."""
    sources = {}
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[name] = path.read_text()
    return sources


def imports_of(sources: Sources) -> list[Import]:
    return [found for name in sources for found in _imports(name, sources)]


def _imports(importer: str, sources: Sources) -> Iterator[Import]:
    pending: list[tuple[ast.AST, bool, bool]] = [(ast.parse(sources[importer]), True, True)]
    while pending:
        node, is_run_time, is_module_level = pending.pop()
        for target in _targets(node, importer, sources):
            line = getattr(node, "lineno", 0)
            yield Import(importer, target, line, is_run_time, is_module_level)
        guarded = _type_checking_body(node)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending += [
            (child, is_run_time and child not in guarded, is_module_level and not inside)
            for child in ast.iter_child_nodes(node)
        ]


def _type_checking_body(node: ast.AST) -> list[ast.stmt]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return node.body
    return []


def _targets(node: ast.AST, importer: str, sources: Sources) -> list[str]:
    """The modules that an import statement, or a call that imports a literal name, loads."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = _absolute(node, importer, sources)
        names = [f"{module}.{alias.name}" for alias in node.names]
        return [name if name in sources else module for name in names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def _absolute(node: ast.ImportFrom, importer: str, sources: Sources) -> str:
    if not node.level:
        return node.module or ""
    is_package = any(name.startswith(f"{importer}.") for name in sources)
    parts = importer.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def is_within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def complaints(sources: Sources, is_forbidden: Callable[[Import], bool]) -> list[str]:
    return [str(found) for found in imports_of(sources) if is_forbidden(found)]


# --- The rules --------------------------------------------------------------------------------


def contract_imports_nothing(sources: Sources) -> list[str]:
    return complaints(
        sources,
        lambda i: i.importer == "lambda_runtime.contract" and i.target != "__future__",
    )


def the_runtime_stands_alone(sources: Sources) -> list[str]:
    return complaints(
        sources,
        lambda i: (
            is_within(i.importer, "lambda_runtime")
            and is_within(i.target, "lambda_extensions", "rapid_mock")
        ),
    )


def no_lambda_package_imports_the_mock(sources: Sources) -> list[str]:
    return complaints(
        sources,
        lambda i: (
            is_within(i.importer, "lambda_runtime", "lambda_extensions")
            and is_within(i.target, "rapid_mock")
        ),
    )


def the_mock_shares_only_the_contract(sources: Sources) -> list[str]:
    return complaints(
        sources,
        lambda i: (
            is_within(i.importer, "rapid_mock")
            and is_within(i.target, "lambda_runtime", "lambda_extensions")
            and i.target != "lambda_runtime.contract"
        ),
    )


def lifecycle_and_service_are_pure(sources: Sources) -> list[str]:
    def is_impure(found: Import) -> bool:
        outside = is_within(found.target, "rapid_mock") and not is_within(
            found.target, *PURE, "rapid_mock.errors"
        )
        return outside or found.target.partition(".")[0] in IMPURE_MODULES

    return complaints(
        sources, lambda i: is_within(i.importer, *PURE) and i.is_run_time and is_impure(i)
    )


def only_the_driver_calls_the_core(sources: Sources) -> list[str]:
    """Others neither import the core's module nor call what goes by an environment's name."""
    outside = {
        name: source
        for name, source in sources.items()
        if name != DRIVER and is_within(name, "rapid_mock") and not is_within(name, PURE[0])
    }
    calls = [
        f"{name}:{node.lineno} calls {ast.unparse(node.func)}"
        for name, source in outside.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CORE_CALLS
        and ast.unparse(node.func.value).endswith("environment")
    ]
    return calls + complaints(
        sources, lambda i: i.importer in outside and is_within(i.target, CORE)
    )


def extensions_share_only_contract_and_transport(sources: Sources) -> list[str]:
    shared = {"lambda_runtime.contract", "lambda_runtime.transport"}
    return complaints(
        sources,
        lambda i: (
            is_within(i.importer, "lambda_extensions")
            and is_within(i.target, "lambda_runtime")
            and i.target not in shared
        ),
    )


def no_import_circle(sources: Sources) -> list[str]:
    """Circles of what modules name at module level; a package's implicit import is no edge."""
    graph: dict[str, set[str]] = {name: set() for name in sources}
    for found in imports_of(sources):
        if found.is_run_time and found.is_module_level and found.target in sources:
            graph[found.importer].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as circle:
        return [" <- ".join(circle.args[1])]
    return []


def no_module_above_400_lines(sources: Sources) -> list[str]:
    lines = {name: source.count("\n") for name, source in sources.items()}
    return [f"{name} has {count} lines" for name, count in lines.items() if count > MAX_LINES]


def public_functions_are_annotated(sources: Sources) -> list[str]:
    return [
        f"{name}:{node.lineno} {node.name} is not annotated"
        for name, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not _is_annotated(node)
    ]


def _is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    named += [one for one in (given.vararg, given.kwarg) if one]
    bare = [one.arg for one in named if one.annotation is None]
    return function.returns is not None and bare in ([], ["self"], ["cls"])


# --- The tests --------------------------------------------------------------------------------

TYPE_CHECKING_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n"

PLANTED: list[tuple[Rule, dict[str, str]]] = [
    (contract_imports_nothing, {"lambda_runtime.contract": "import os\n"}),
    (the_runtime_stands_alone, {"lambda_runtime.loop": "import lambda_extensions\n"}),
    (
        the_runtime_stands_alone,
        {"lambda_runtime.loop": "def f() -> None:\n    from lambda_extensions import client\n"},
    ),
    (
        no_lambda_package_imports_the_mock,
        {"lambda_extensions.cli": TYPE_CHECKING_ONLY.format("rapid_mock.local")},
    ),
    (
        no_lambda_package_imports_the_mock,
        {"lambda_runtime.loop": "import importlib\nimportlib.import_module('rapid_mock.cli')\n"},
    ),
    (
        the_mock_shares_only_the_contract,
        {"rapid_mock.local": "from lambda_runtime import run\n", "lambda_runtime": ""},
    ),
    (the_mock_shares_only_the_contract, {"rapid_mock.local": "import lambda_runtime.client\n"}),
    (the_mock_shares_only_the_contract, {"rapid_mock.local": "import lambda_extensions\n"}),
    (lifecycle_and_service_are_pure, {"rapid_mock.lifecycle.phases": "import time\n"}),
    (
        lifecycle_and_service_are_pure,
        {"rapid_mock.service.placement": "def f() -> None:\n    from os import environ\n"},
    ),
    (
        lifecycle_and_service_are_pure,
        {"rapid_mock.service.placement": "from ..host import clock\n", "rapid_mock.host": ""},
    ),
    (
        only_the_driver_calls_the_core,
        {"rapid_mock.http.server": "self._environment.handle(event, now)\n"},
    ),
    (
        only_the_driver_calls_the_core,
        {
            "rapid_mock.local": "from rapid_mock.lifecycle import environment as core\n",
            "rapid_mock.lifecycle.environment": "",
        },
    ),
    (
        extensions_share_only_contract_and_transport,
        {"lambda_extensions.client": "from lambda_runtime.client import RuntimeClient\n"},
    ),
    (
        no_import_circle,
        {
            "rapid_mock": "",
            "rapid_mock.a": "from rapid_mock import b\n",
            "rapid_mock.b": "class C:\n    from . import a\n",
        },
    ),
    (no_module_above_400_lines, {"rapid_mock.long": "\n" * 401}),
    (public_functions_are_annotated, {"rapid_mock.bare": "def f(x) -> None: ...\n"}),
    (public_functions_are_annotated, {"rapid_mock.bare": "async def f(x: int): ...\n"}),
]

RULES = list(dict.fromkeys(rule for rule, _ in PLANTED))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    """The rule named in brackets holds for every module of the three packages."""
    assert rule(read_sources()) == []


@pytest.mark.parametrize(("rule", "sources"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, sources: Sources) -> None:
    """The rule complains once about a source that breaks it."""
    assert len(rule(sources)) == 1


def test_what_type_checkers_alone_read_is_no_run_time_import() -> None:
    """Neither purity nor circles count an import under `TYPE_CHECKING`."""
    sources = {
        "rapid_mock.lifecycle.a": TYPE_CHECKING_ONLY.format("rapid_mock.lifecycle.b, datetime"),
        "rapid_mock.lifecycle.b": "import rapid_mock.lifecycle.a\n",
    }
    assert lifecycle_and_service_are_pure(sources) == []
    assert no_import_circle(sources) == []


def test_an_import_inside_a_function_makes_no_circle() -> None:
    """A late import is how a circle is avoided and how a cold start stays small."""
    sources = {
        "rapid_mock.a": "def f() -> None:\n    import rapid_mock.b\n",
        "rapid_mock.b": "import rapid_mock.a\n",
    }
    assert no_import_circle(sources) == []


def test_the_packages_are_read_whole() -> None:
    """Every package contributes modules, or the rules above would hold for nothing."""
    names = read_sources().keys()
    assert {name.partition(".")[0] for name in names} == set(PACKAGES)
    assert "lambda_runtime.contract" in names
