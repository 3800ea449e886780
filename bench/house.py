"""The layout of the code in numbers, now and in an earlier revision: ``python -m bench.house [REV] [--write]``.

Everything is read from the sources with ``ast``: nothing is imported. The table goes to docs/architecture.md.
"""

from __future__ import annotations

import argparse
import ast
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench import sections
from bench.markdown import table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
GIT = shutil.which("git") or "git"
BEFORE = "71d8a1f"
"""The last revision of the flat layout."""


@dataclass(frozen=True)
class Tree:
    """The sources of the package below ``root``: file names relative to ``root``, and their text."""

    root: Path

    @cached_property
    def texts(self) -> dict[str, str]:
        files = sorted((self.root / "convlint").rglob("*.py"))
        return {str(file.relative_to(self.root)): file.read_text(encoding="utf-8") for file in files}

    @cached_property
    def modules(self) -> dict[str, ast.Module]:
        """The syntax tree of each module by its dotted name; example files of rules are not modules."""
        return {_dotted(file): ast.parse(text) for file, text in self.texts.items() if "/examples/" not in file}

    def lines(self) -> Counter[str]:
        """Lines of Python by top-level package; ``(top)`` are the files beside the packages."""
        counts: Counter[str] = Counter()
        for file, text in self.texts.items():
            counts[_package(file)] += text.count("\n")
        return counts

    def files(self) -> Counter[str]:
        """Files of Python by top-level package."""
        return Counter(map(_package, self.texts))

    def top_modules(self) -> list[str]:
        """Names of the modules directly in the package, without ``__init__``."""
        inside = [Path(file) for file in self.texts]
        return sorted(file.stem for file in inside if len(file.parts) == 2 and file.stem != "__init__")

    def imports(self, *, annotations: bool) -> dict[str, set[str]]:
        """Who imports whom when a module is loaded; with ``annotations`` also under TYPE_CHECKING.

        The package itself is left out: it imports its parts on request, and they import its version.
        """
        return {
            name: {
                target for statement in _loaded(tree, annotations=annotations) for target in self._targets(statement)
            }
            - {name, "convlint"}
            for name, tree in self.modules.items()
            if name != "convlint"
        }

    def type_checking_edges(self) -> int:
        """Imports that only a type checker sees."""
        real = self.imports(annotations=False)
        return sum(len(names - real[module]) for module, names in self.imports(annotations=True).items())

    def circles(self, *, annotations: bool) -> list[set[str]]:
        """The sets of modules that import each other, directly or not: strongly connected components."""
        return [part for part in _components(self.imports(annotations=annotations)) if len(part) > 1]

    def repeated_names(self) -> Counter[str]:
        """Functions and classes at the top of several modules, by name: public ones, and in how many."""
        seen: Counter[str] = Counter()
        for tree in self.modules.values():
            definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            seen.update({node.name for node in tree.body if isinstance(node, definitions)})
        return Counter(
            {
                name: count
                for name, count in seen.items()
                if count > 1 and not name.startswith("_") and name != "__getattr__"
            }
        )

    def any_in_signatures(self) -> int:
        """How often ``Any`` stands in the parameters and results of functions."""
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return sum(
            sum(isinstance(name, ast.Name) and name.id == "Any" for name in ast.walk(annotation))
            for tree in self.modules.values()
            for node in ast.walk(tree)
            if isinstance(node, functions)
            for annotation in _annotations(node)
        )

    def _targets(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in self.modules else str(node.module) for name in inner]
        return (name for name in names if name in self.modules)


def _dotted(file: str) -> str:
    parts = Path(file).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(file: str) -> str:
    parts = Path(file).parts
    return parts[1] if len(parts) > 2 else "(top)"


def _loaded(node: ast.AST, *, annotations: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements that run when a module is loaded: none in functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for part in child.body if annotations else child.orelse:
                yield from _loaded(ast.Module([part], []), annotations=annotations)
        else:
            yield from _loaded(child, annotations=annotations)


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    yield from (argument.annotation for argument in every if argument.annotation is not None)
    if node.returns is not None:
        yield node.returns


def _components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Strongly connected components, by Tarjan's algorithm (SIAM J. Comput. 1, 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for target in graph[node]:
            if target not in number:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], number[target])
        if low[node] == number[node]:
            part = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            found.append(part)

    for node in graph:
        if node not in number:
            visit(node)
    return found


def common_package(modules: set[str]) -> str:
    """The innermost package that holds all of ``modules``."""
    first, *others = (module.split(".") for module in modules)
    shared = 0
    while all(other[: shared + 1] == first[: shared + 1] for other in others):
        shared += 1
    return ".".join(first[:shared])


def facts(tree: Tree) -> dict[str, str]:
    """What the table shows of a tree."""
    repeated = tree.repeated_names()
    examples = sum(text.count("\n") for file, text in tree.texts.items() if "/examples/" in file)
    circles = tree.circles(annotations=True)
    return {
        "lines of Python": f"{tree.lines().total():,}",
        "of them examples of rules in files": f"{examples:,}" if examples else "(strings)",
        "files": f"{tree.files().total():,}",
        "longest file": "{} ({})".format(*max((text.count("\n"), file) for file, text in tree.texts.items())),
        "modules at the top of `convlint/`": str(len(tree.top_modules())),
        "import cycles": str(len(tree.circles(annotations=False))),
        "imports under `TYPE_CHECKING`": str(tree.type_checking_edges()),
        "circles if those count": ", ".join(
            f"{len(circle)} modules in `{common_package(circle)}`" for circle in circles
        )
        or "0",
        "public names defined in more than one module": str(len(repeated)),
        "the most frequent of them": ", ".join(f"`{name}` {count}" for name, count in repeated.most_common(6)),
        "`Any` in signatures": str(tree.any_in_signatures()),
    }


def checked_out(revision: str, folder: Path) -> Tree:
    """The package as it was in a revision, written below ``folder``."""
    done = subprocess.run([GIT, "archive", revision, "convlint"], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return Tree(folder)


def report(now: Tree, before: Tree, revision: str) -> str:
    """The two tables: facts, and lines with files by package."""
    new, old = facts(now), facts(before)
    rows = [(name, old[name], new[name]) for name in new]
    lines: dict[str, dict[Tree, int]] = defaultdict(dict)
    for tree in (before, now):
        for package, count in tree.lines().items():
            lines[package][tree] = count
    files = {tree: tree.files() for tree in (before, now)}

    def cell(package: str, tree: Tree) -> str:
        count = lines[package].get(tree)
        return "" if count is None else f"{count:,} in {files[tree][package]}"

    packages = [(f"`{package}`", cell(package, before), cell(package, now)) for package in sorted(lines)]
    return "\n\n".join(
        [
            f"Written by `python -m bench.house {revision} --write`.",
            table(["", f"{revision}", "now"], rows),
            table(["package", f"lines in files, {revision}", "now"], packages),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", default=BEFORE)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/architecture.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = report(Tree(ROOT), checked_out(options.revision, Path(folder)), options.revision)
    print(text)
    if options.write:
        sections.put(PAGE, "house", text)


if __name__ == "__main__":
    main()
