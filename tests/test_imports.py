"""Who may import whom: the house's rooms, read from the sources with ``ast``."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "convlint"

ALLOWED: dict[str, set[str]] = {
    # facts
    "usage": set(),
    "quantities": {"usage"},
    "replacing": set(),
    "dims": set(),
    "model": set(),
    "wire": {"model"},
    "lines": {"model"},
    # what rules are made of
    "flow": {"model"},
    "cost": {"model"},
    "calls": {"model", "lines"},
    "channels": {"model", "flow"},
    "latent": {"model", "dims", "flow", "calls"},
    "rule": {"model"},
    "rules": {"model", "dims", "flow", "cost", "calls", "channels", "latent", "rule"},
    "codes": {"rules"},
    "catalogue": {"codes", "rule", "rules"},
    "pages": {"catalogue", "rule", "rewriting"},
    # the two front ends
    "trace": {"model", "dims", "wire", "lines", "targets", "rewriting", "replacing"},
    "source": {"model", "dims", "flow", "codes", "catalogue"},
    # what the user asked for
    "targets": {"model", "usage"},
    "keys": {"model"},
    "config": {"model", "usage", "codes", "quantities", "targets", "keys"},
    "reference": {"codes", "keys"},
    "files": {"model", "usage"},
    "suppress": {"model", "lines", "edits"},
    "fingerprints": {"model", "lines"},
    "baseline": {"model", "edits", "usage", "fingerprints"},
    "comparing": {"model", "usage"},
    # what is done about findings
    "sifting": {"model", "config"},
    "prove": {"model"},
    "edits": {"model", "lines", "replacing"},
    "fixing": {"model", "lines", "edits"},
    "rewriting": {"model", "usage", "quantities", "flow", "cost", "calls", "lines", "edits"},
    "cache": {"model", "wire", "replacing"},
    "outputs": {
        *("model", "usage", "lines", "cost", "targets", "fingerprints", "catalogue", "pages"),
    },
    # pipelines
    "judges": {"model", "config", "source"},
    "lint": {
        *("model", "config", "files", "cache", "baseline", "sifting", "suppress", "source"),
        *("catalogue", "prove", "judges"),
    },
    "checking": {
        *("model", "config", "files", "lines", "baseline", "sifting", "suppress"),
        *("edits", "fixing", "prove", "lint"),
    },
    "run": {
        *("model", "config", "targets", "sifting", "suppress"),
        *("catalogue", "cost", "prove", "trace"),
    },
    "executing": {"model", "targets", "trace"},
    "cluster": {"usage", "targets", "trace"},
    "sweeping": {
        *("model", "usage", "wire", "config", "targets", "prove", "outputs", "run", "trace"),
    },
    "trials": {"model", "targets", "lines", "rewriting", "trace"},
    "suggesting": {"model", "targets", "cost", "rewriting", "trials"},
    "models_of": {"usage", "targets", "config", "source"},
    "detecting": {"usage", "targets", "config", "source", "fitting"},
    "fitting": {"targets", "source"},
    "flake8_plugin": {"model", "lines", "config", "suppress", "source", "lint"},
    "server": {
        *("model", "usage", "wire", "lines", "calls", "targets", "config", "files", "baseline"),
        *("edits", "fixing", "suppress", "pages", "outputs", "rewriting", "models_of"),
        *("lint", "run", "suggesting", "trace"),
    },
    "pytest_plugin": {
        *("model", "usage", "targets", "config", "files", "outputs"),
        *("checking", "run", "trace"),
    },
}
"""Parts of the house that each part may import; those at the top may import all of them."""
TOP = {"api", "cli", "__init__", "__main__"}

HEAVY = {"torch", "rich", "typer"}
"""Packages that take long to import, and the parts that may import them at module level."""
HEAVY_IN = {"trace": {"torch"}, "cli": {"typer"}, "outputs": {"rich"}}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the house that a module belongs to: ``convlint.rules.cvl101_x`` is in ``rules``."""
    return f"{module}.__init__".split(".")[1]


def imports(tree: ast.AST) -> Iterator[str]:
    """Modules imported anywhere below a node; ``from convlint import flow`` gives ``convlint.flow``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else str(node.module)


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def without_annotations(tree: ast.Module) -> ast.Module:
    """A file without what only type checkers read."""

    class Strip(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    stripped = Strip().visit(tree)
    assert isinstance(stripped, ast.Module)
    return stripped


def run_on_import(file: Path) -> ast.Module:
    """A file without what does not run when it is imported: function bodies and ``if TYPE_CHECKING``."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    stripped = Strip().visit(ast.parse(file.read_text(encoding="utf-8")))
    assert isinstance(stripped, ast.Module)
    return stripped


each_file = pytest.mark.parametrize("file", sources(), ids=module_name)


@each_file
def test_parts_import_only_what_they_may(file: Path) -> None:
    part = part_of(module_name(file))
    assert part in ALLOWED.keys() | TOP, f"place {part} in the table of this test"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    used = {part_of(name) for name in imports(tree) if name.startswith("convlint.")}
    if part not in TOP:
        assert used - {part} <= ALLOWED[part]


@each_file
def test_torch_is_imported_only_in_trace(file: Path) -> None:
    tree = without_annotations(ast.parse(file.read_text(encoding="utf-8")))
    used = {name.split(".")[0] for name in imports(tree)}
    if part_of(module_name(file)) != "trace":
        assert not used & {"torch", "torchvision", "timm"}


@each_file
def test_slow_packages_are_imported_late(file: Path) -> None:
    used = {name.split(".")[0] for name in imports(run_on_import(file))}
    assert used & HEAVY <= HEAVY_IN.get(part_of(module_name(file)), set())


def test_nothing_that_reads_files_needs_a_slow_package() -> None:
    parts = below("checking", "models_of", "flake8_plugin")
    assert "trace" not in parts
    for file in sources():
        if part_of(module_name(file)) in parts:
            tree = without_annotations(ast.parse(file.read_text(encoding="utf-8")))
            assert not HEAVY & {name.split(".")[0] for name in imports(tree)}, file


def below(*parts: str) -> set[str]:
    """Parts, and all that they may import, directly or not."""
    return set(parts).union(*(below(*ALLOWED[part]) for part in parts))


def test_no_part_imports_one_above_it() -> None:
    TopologicalSorter(ALLOWED).prepare()  # raises CycleError that names the cycle


def test_no_import_cycles() -> None:
    graph = {
        module_name(file): {
            name for name in imports(run_on_import(file)) if name.split(".")[0] == "convlint"
        }
        - {module_name(file)}
        for file in sources()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError that names the cycle


def test_start_up_does_not_load_torch() -> None:
    code = (
        "import convlint, convlint.catalogue, sys; convlint.catalogue.rules(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
