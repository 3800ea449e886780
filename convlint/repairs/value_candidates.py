"""Candidates that read another value in a forward: one that nothing reads, that of a layer that nothing calls, or any.

``out = self.conv1(x)`` is for nothing if ``out = self.conv2(x)`` follows: a dead store, as compilers call it. No number
is wrong there, although another number often makes the program run.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction

from convlint.ir import Edit, Graph, Node, Site
from convlint.repairs.candidate import Candidate
from convlint.repairs.slicer import Slicer
from convlint.source_text import call_sites, lines
from convlint.source_text.bindings import parameters
from convlint.source_text.call_sites import ParsedFile
from convlint.source_text.trees import nodes_of
from convlint.support.dataclass import dataclass

_MOST = 12  # edits for one conflict
_MOST_OTHERS = 3  # other values for one that is read


@dataclass(frozen=True)
class _Method:
    """A method of a class on the way to a failing call; ``is_last`` is the one that makes it."""

    path: str
    file: ParsedFile
    cls: ast.ClassDef
    function: ast.FunctionDef
    is_last: bool

    @property
    def names(self) -> set[str]:
        """The parameters and variables."""
        stored = {n.id for n in nodes_of(self.function) if isinstance(n, ast.Name) and _is_stored(n)}
        return stored | set(parameters(self.function))

    def replacing(self, node: ast.Name, text: str, why: str = "") -> Candidate:
        site = lines.span(self.path, node, self.file.lines, f"{self.cls.name}.{self.function.name}")
        words = f"replace `{node.id}` with `{text}`{why and f', {why}'}"
        return Candidate(Edit(site, text), None, None, Fraction(0), (0,), (0,), site, words, doubtful=True)


def forgotten_values(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits that read a forgotten value or layer on the way to a failing call, from the call outwards."""
    node = graph.nodes[failed]
    return [] if node.site is None else forgotten_values_at(node.site, slicer, _builders(graph, node))


def forgotten_values_at(failing: Site, slicer: Slicer, builders: Sequence[Site] = ()) -> list[Candidate]:
    """The edits for a call that fails at a line, in the methods of its class and of those that build its module."""
    found: list[Candidate] = []
    for method in _methods(failing, builders, slicer):
        found += _of_values(method)
        if method.is_last:
            found += _of_layers(method, failing.line)
    return found[:_MOST]


def other_values(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits that read another value where a failing call is made: likely only if no number repairs as much."""
    node = graph.nodes[failed]
    return [] if node.site is None else other_values_at(node.site, slicer, _builders(graph, node))


def other_values_at(failing: Site, slicer: Slicer, builders: Sequence[Site] = ()) -> list[Candidate]:
    """The edits that read another value in the statement at a line, or in those that call a module which fails."""
    found: list[Candidate] = []
    for method in _methods(failing, builders, slicer):
        for statement in _statements(method.function):
            if _makes_call(method, statement, failing, builders):
                found += _of_other_values(method, statement)
    return found[:_MOST]


def _makes_call(method: _Method, statement: ast.stmt, failing: Site, builders: Sequence[Site]) -> bool:
    if method.is_last:
        return statement.lineno <= failing.line <= (statement.end_lineno or statement.lineno)
    built = {(site.path, site.line) for site in builders}
    names = {
        target.attr
        for node in nodes_of(method.cls)
        if isinstance(node, ast.Assign) and (method.path, node.lineno) in built
        for target in node.targets
        if isinstance(target, ast.Attribute)
    }
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in ast.walk(statement))


def _of_other_values(method: _Method, statement: ast.stmt) -> Iterator[Candidate]:
    """Other results of calls before a statement, those that are read least first. What is read instead stays in use."""
    reads = Counter(n.id for n in nodes_of(method.function) if isinstance(n, ast.Name) and not _is_stored(n))
    before = [s for s in _statements(method.function) if (s.end_lineno or s.lineno) < statement.lineno]
    stored = dict.fromkeys(name for each in reversed(before) for name in _stored(each))
    for read in _reads(statement, {*stored, *parameters(method.function)}):
        others = sorted(stored.keys() - {read.id}, key=lambda name: (reads[name], [*stored].index(name)))
        for name in others[:_MOST_OTHERS] if reads[read.id] > 1 else ():
            yield method.replacing(read, name)


def _builders(graph: Graph, node: Node) -> list[Site]:
    """The calls that build the module which makes a call, and those around it."""
    name, found = node.module if node.layer is None else node.layer.rpartition(".")[0], []
    while name:
        layer = graph.layer(name)
        if layer is not None and layer.site is not None:
            found.append(layer.site)
        name = name.rpartition(".")[0]
    return found


def _methods(failing: Site, builders: Sequence[Site], slicer: Slicer) -> Iterator[_Method]:
    """The function that fails, and the methods of the classes that have its module as a part."""
    seen: set[ast.AST] = set()
    for site, is_last in ((failing, True), *((site, False) for site in builders)):
        file = call_sites.parsed_file(site.path, slicer.texts) if slicer.owns(site.path) else None
        owner, _, own = site.function.rpartition(".")
        for cls in () if file is None else file.nodes:
            if isinstance(cls, ast.ClassDef) and cls.name == owner.rpartition(".")[2]:
                for function in cls.body:
                    if not isinstance(function, ast.FunctionDef) or function in seen:
                        continue
                    if function.name == own if is_last else function.name != "__init__":
                        seen.add(function)
                        assert file is not None
                        yield _Method(site.path, file, cls, function, is_last)


# --- values


def _of_values(method: _Method) -> Iterator[Candidate]:
    for block in _blocks(method.function):
        for start, statement in enumerate(block):
            for name in _stored(statement):
                stop = _unread_until(block, start, name, is_end=block is method.function.body)
                for after in block[start + 1 : stop]:
                    for read in _reads(after, method.names - {name}):
                        yield method.replacing(read, name, "which nothing reads")


def _reads(statement: ast.stmt, names: Collection[str]) -> list[ast.Name]:
    """The places in a statement that read one of some names: first those of the names that it has read before."""
    reads = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and not _is_stored(n) and n.id in names]
    reads.sort(key=lambda node: (node.lineno, node.col_offset))
    return sorted(reads, key=lambda node: all(node.id != other.id for other in reads[: reads.index(node)]))


def _blocks(function: ast.FunctionDef) -> Iterator[Sequence[ast.stmt]]:
    for node in nodes_of(function):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield block


def _stored(statement: ast.stmt) -> Iterator[str]:
    """The names that an assignment binds to the result of a call."""
    if isinstance(statement, ast.Assign) and any(isinstance(node, ast.Call) for node in ast.walk(statement.value)):
        for target in statement.targets:
            parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
            yield from (part.id for part in parts if isinstance(part, ast.Name) and not part.id.startswith("_"))


def _unread_until(block: Sequence[ast.stmt], start: int, name: str, *, is_end: bool) -> int:
    """The end of the statements after one that binds a name that do not read it: up to one that binds it again, which
    is included, or to the end of the function. ``start`` if one of them reads it, or if that is not known.
    """
    for number, statement in enumerate(block[start + 1 :], start + 1):
        uses = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id == name]
        if any(not _is_stored(node) for node in uses) or (uses and isinstance(statement, ast.AugAssign)):
            return start
        if uses and isinstance(statement, ast.Assign):
            return number + 1
        if uses:
            return start  # it may be bound again
    return len(block) if is_end else start


def _is_stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


# --- layers


def _of_layers(method: _Method, line: int) -> Iterator[Candidate]:
    """The edits that pass the names in a failing statement through a layer that nothing calls."""
    statement = next((s for s in _statements(method.function) if s.lineno <= line <= (s.end_lineno or line)), None)
    uncalled = list(_uncalled(method)) if statement is not None else []
    for read in _reads(statement, method.names) if statement is not None and uncalled else ():
        for layer in uncalled:
            yield method.replacing(read, f"self.{layer}({read.id})", f"as nothing calls `{layer}`")


def _statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """The simple statements of a function."""
    simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)
    return (node for node in nodes_of(function) if isinstance(node, simple))


def _uncalled(method: _Method) -> Iterator[str]:
    """The attributes that the constructor of a class sets to the result of a call, and that its file never reads."""
    read = {n.attr for n in method.file.nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    for function in method.cls.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            for node in nodes_of(function):
                match node:
                    case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Call()):
                        if name not in read:
                            yield name
