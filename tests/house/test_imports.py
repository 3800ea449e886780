"""Who may import whom: the house's rooms, read from the sources with ``ast``."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "convlint"

PAGE = PACKAGE.parent / "docs" / "architecture.md"
ROW = re.compile(r"^\| `(\w+)` \| .* \| ((?:`\w+`(?:, )?)+|nothing) \|$", re.MULTILINE)
ALLOWED = {
    package: set(re.findall(r"\w+", names)) - {"nothing"} for package, names in ROW.findall(PAGE.read_text("utf-8"))
}
"""The packages that each package may import, from the table of docs/architecture.md; the top may import all of them."""
TOP = {"api", "cli", "__init__", "__main__"}

HEAVY = {"torch", "rich", "typer", "libcst", "pygls"}
"""Packages that take long to import, and the parts that may import them at module level."""
HEAVY_IN = {
    "runtime": {"torch"},
    "cli": {"typer"},
    "outputs": {"rich"},
    "integrations": {"pygls"},
    "rewriting": {"libcst"},  # helpers.py, which is itself imported late
}

RECURSIVE = "convlint.static.interpreter"
"""The one package whose files may refer to each other in a circle, in annotations alone: statements
contain expressions, expressions contain lambdas, and their functions all take the ``Interpreter``.
"""


def sources() -> list[Path]:
    texts = [PACKAGE / "rules" / "examples", PACKAGE / "static" / "interpreter" / "libraries" / "followed"]
    return sorted(set(PACKAGE.rglob("*.py")) - {file for folder in texts for file in folder.rglob("*.py")})


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the house that a module belongs to: ``convlint.rules.cvl101_x`` is in ``rules``."""
    return f"{module}.__init__".split(".")[1]


def imports(tree: ast.AST) -> Iterator[str]:
    """Modules imported anywhere below a node; ``from a import b`` gives ``a.b`` for a module b."""
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
    assert part in ALLOWED.keys() | TOP, f"place {part} in the table of docs/architecture.md"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    used = {part_of(name) for name in imports(tree) if name.startswith("convlint.")}
    if part not in TOP:
        assert used - {part} <= ALLOWED[part]


@each_file
def test_torch_is_imported_only_in_runtime(file: Path) -> None:
    tree = without_annotations(ast.parse(file.read_text(encoding="utf-8")))
    used = {name.split(".")[0] for name in imports(tree)}
    if part_of(module_name(file)) != "runtime":
        assert not used & {"torch", "torchvision", "timm"}


@each_file
def test_slow_packages_are_imported_late(file: Path) -> None:
    used = {name.split(".")[0] for name in imports(run_on_import(file))}
    assert used & HEAVY <= HEAVY_IN.get(part_of(module_name(file)), set())


STATIC_ENTRY = ["pipelines.check", "static.affected_models", "integrations.flake8"]


@pytest.mark.parametrize("entry", STATIC_ENTRY)
def test_static_mode_reaches_neither_the_runtime_nor_a_slow_package(entry: str) -> None:
    files = {module_name(file): file for file in sources()}
    reached, pending = set(), [f"convlint.{entry}"]
    while pending:
        module = pending.pop()
        if module in files and module not in {*reached, "convlint"}:  # whose door is lazy
            reached.add(module)
            tree = without_annotations(ast.parse(files[module].read_text(encoding="utf-8")))
            used = list(imports(tree))
            assert not (HEAVY - {"rich"}) & {name.split(".")[0] for name in used}, module
            pending += used
    assert not any(module.startswith("convlint.runtime") for module in reached)


def test_no_part_imports_one_above_it() -> None:
    TopologicalSorter(ALLOWED).prepare()  # raises CycleError that names the cycle


def without_functions(file: Path) -> ast.Module:
    """A file without function bodies, but with its imports for annotations (``if TYPE_CHECKING``)."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

    stripped = Strip().visit(ast.parse(file.read_text(encoding="utf-8")))
    assert isinstance(stripped, ast.Module)
    return stripped


def import_graph(parse: Callable[[Path], ast.Module]) -> dict[str, set[str]]:
    """The modules of convlint that each module imports. The package ``convlint`` itself is left out:
    it is loaded before each of its modules, and its own imports are lazy.
    """
    return {
        module_name(file): {
            name for name in imports(parse(file)) if name.startswith("convlint.") and name != module_name(file)
        }
        for file in sources()
        if module_name(file) != "convlint"
    }


def test_no_import_cycles() -> None:
    TopologicalSorter(import_graph(run_on_import)).prepare()  # raises CycleError that names the cycle


def test_one_package_is_recursive_in_annotations() -> None:
    graph = import_graph(without_functions)
    inner = {name for name in graph if name.startswith(f"{RECURSIVE}.")}
    for name in inner:
        graph[name] -= inner
    TopologicalSorter(graph).prepare()  # raises CycleError that names the cycle


@each_file
def test_the_recursive_package_is_imported_through_its_door(file: Path) -> None:
    if not module_name(file).startswith(RECURSIVE):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [name for name in imports(tree) if name.startswith(f"{RECURSIVE}.")]


def test_start_up_does_not_load_torch() -> None:
    code = "import convlint, convlint.rules.registry, sys; convlint.rules.registry.rules(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
