"""Copies of published packages that a checker takes for the user's own: the files that a model needs, in a folder.

The files of a package that a module imports, directly or through others, are copied; other packages are imported as
installed. The ``__init__.py`` of a package is left empty unless something imports a name from it, so that one model
does not load a hundred others.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Family:
    """A module, the call in it that builds a model, and one sample (C, H, W) or (C, D, H, W)."""

    module: str
    call: str
    input: tuple[int, ...] = (3, 64, 64)

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def file(self) -> str:
        """The file of the module, relative to the folder with the package."""
        return f"{self.module.replace('.', '/')}.py"

    def __str__(self) -> str:
        return f"{self.module}:{self.call}"


@functools.cache
def sources(folder: Path, module: str) -> dict[str, str]:
    """Return the files that a module of the package in ``folder`` needs, by their paths relative to it."""
    found: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = _file(folder, name)
        if path is None or str(path) in found:
            continue
        found[str(path)] = text = (folder / path).read_text(encoding="utf-8")
        pending += _imported(folder, name, path, ast.parse(text))
    for file in [*found]:
        for parent in Path(file).parents[:-1]:
            found.setdefault(f"{parent}/__init__.py", "")
    return found


def _file(folder: Path, module: str) -> Path | None:
    path = Path(*module.split("."))
    for each in (path.with_suffix(".py"), path / "__init__.py"):
        if (folder / each).is_file():
            return each
    return None


def _imported(folder: Path, module: str, path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the modules of the same package that a file imports when it is imported."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in _at_import(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == package[0])
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            if target.split(".")[0] == package[0]:
                for alias in node.names:
                    submodule = f"{target}.{alias.name}"
                    yield submodule if _file(folder, submodule) else target


def _at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            pending += ast.iter_child_nodes(node)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files that differ from those in a folder, so that Python compiles no others again."""
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


_INITIAL = (
    *("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "orthogonal_"),
    *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
)


def imported(folder: Path, family: Family) -> Any:
    """Import a family's module from the copy in ``folder``. Call it in a child process."""
    import torch

    for name in [*sys.modules]:
        if name.partition(".")[0] == family.package:
            del sys.modules[name]
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = False
    for name in _INITIAL:  # shapes do not depend on values, and random initialization is slow
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    return importlib.import_module(family.module)


def built_and_run(module: Any, family: Family) -> list[tuple[int, ...]]:
    """Build a family's model, run it once, and return the shapes of its parameters and buffers."""
    import torch

    model = eval(family.call, vars(module)).eval()  # noqa: S307 - a call of the table of families
    with torch.no_grad():
        model(torch.zeros(1, *family.input))
    return [tuple(tensor.shape) for tensor in (*model.parameters(), *model.buffers())]
