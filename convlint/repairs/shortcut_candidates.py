"""Candidates for the repair of a shortcut that is projected under the wrong condition: ``if stride != 1``.

A residual block adds its input, which needs a projection where its width or its size changes. Many blocks ask for one
of the two only. The projection itself names what it changes: ``Conv2d(cin, cout, 1, stride)``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction

from convlint.analysis import merges
from convlint.ir import Edit, Graph, Node
from convlint.repairs.candidate import Candidate
from convlint.repairs.slicer import Slicer
from convlint.source_text import call_sites, lines
from convlint.source_text.call_sites import Function, ParsedFile

_STRIDES = (3, 2)  # positions of the stride: of ``Conv2d``, and of ``conv1x1(cin, cout, stride)``


def shortcut_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits of conditions under which a shortcut is projected; empty for other failures."""
    node = graph.nodes[failed]
    if not (merges.differs_in_channels(graph, node) or merges.differs_in_size(graph, node)):
        return []
    found: dict[ast.expr, Candidate] = {}
    flags = list(_usual_flags(graph, node, slicer))
    for path, file, function in _functions(graph, node, slicer):
        for choice in ast.walk(function):
            if isinstance(choice, ast.If | ast.IfExp) and choice.test not in found:
                text = _extended(choice, of_widths=merges.differs_in_channels(graph, node))
                if text is not None:
                    site = lines.span(path, choice.test, file.lines, getattr(function, "name", ""))
                    words = f"replace `{ast.unparse(choice.test)}` with `{text}`"
                    found[choice.test] = Candidate(Edit(site, text), None, None, Fraction(0), (0,), (0,), site, words)
    return [*flags, *found.values()]


def _usual_flags(graph: Graph, node: Node, slicer: Slicer) -> Iterator[Candidate]:
    """The argument that makes a block project its shortcut, if other calls of the block pass it: ``project=True``."""
    block = graph.layer(node.module)
    site = None if block is None else block.site
    call = call_sites.at(site, slicer.texts) if site is not None and slicer.owns(site.path) else None
    if call is None or call.unpacks:
        return
    passed = {keyword.arg for keyword in call.node.keywords}
    callee = ast.dump(call.node.func)
    for other in (each for each in call.file.nodes if isinstance(each, ast.Call) and ast.dump(each.func) == callee):
        for keyword in other.keywords:
            is_on = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
            if is_on and keyword.arg not in passed:
                passed.add(keyword.arg)
                text = f"{keyword.arg}=True"
                yield Candidate(call.adding(text), None, None, Fraction(0), (0,), (0,), call.site, f"add {text}")


def _functions(graph: Graph, node: Node, slicer: Slicer) -> Iterator[tuple[str, ParsedFile, Function]]:
    """The constructor of the class that adds, and the functions that build it, with their files."""
    if node.site is not None and slicer.owns(node.site.path):
        file = call_sites.parsed_file(node.site.path, slicer.texts)
        owner = node.site.function.rpartition(".")[0].rpartition(".")[2]
        classes = [] if file is None else [n for n in file.nodes if isinstance(n, ast.ClassDef) and n.name == owner]
        for function in (each for cls in classes for each in cls.body):
            if file is not None and isinstance(function, ast.FunctionDef) and function.name == "__init__":
                yield node.site.path, file, function
    owning = graph.layer(node.module)
    for site in () if owning is None or owning.site is None else (owning.site, *owning.chain):
        call = slicer.call(site) if slicer.owns(site.path) else None
        if call is not None and isinstance(call.scope, ast.FunctionDef):
            yield site.path, call.file, call.scope


def _extended(choice: ast.If | ast.IfExp, *, of_widths: bool) -> str | None:
    """The condition of a projection, extended by its widths or its stride; None if it asks for these or projects
    nothing.
    """
    chosen = choice.body if isinstance(choice.body, list) else [choice.body]
    calls = [node for each in chosen for node in ast.walk(each) if isinstance(node, ast.Call)]
    projection = next((call for call in calls if "conv" in ast.unparse(call.func).lower()), None)
    if projection is None or isinstance(choice.test, ast.NamedExpr | ast.IfExp | ast.Lambda):
        return None
    missing = _widths(projection) if of_widths else _stride(projection)
    test = ast.unparse(choice.test)
    if missing is None:
        return None
    if missing not in test:
        return f"{test} or {missing}"
    if isinstance(choice.test, ast.BoolOp) and isinstance(choice.test.op, ast.And):
        return " or ".join(map(ast.unparse, choice.test.values))
    return None


def _widths(projection: ast.Call) -> str | None:
    given = {keyword.arg: keyword.value for keyword in projection.keywords}
    args = [*projection.args, *(given[name] for name in ("in_channels", "out_channels") if name in given)]
    if len(args) < len(("in", "out")) or any(isinstance(each, ast.Constant | ast.Starred) for each in args[:2]):
        return None
    before, after = map(ast.unparse, args[:2])
    return None if before == after else f"{before} != {after}"


def _stride(projection: ast.Call) -> str | None:
    named = [keyword.value for keyword in projection.keywords if keyword.arg == "stride"]
    placed = [projection.args[at] for at in _STRIDES if at < len(projection.args)]
    for value in (*named, *placed):
        if isinstance(value, ast.Name | ast.Attribute):
            return f"{ast.unparse(value)} != 1"
    return None
