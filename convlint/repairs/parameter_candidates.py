"""Candidates for a sum or product with a parameter or buffer of the model: the sizes that it is made with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction

from convlint.analysis import merges, ops
from convlint.ir import Edit, Graph
from convlint.repairs.candidate import Candidate
from convlint.repairs.slicer import Slicer
from convlint.source_text import call_sites, lines
from convlint.source_text.bindings import attributes
from convlint.source_text.call_sites import ParsedFile

UNUSUAL = (9,)
"""The cost of a size that differs by more than one from a name."""
_HELD = frozenset({"parameter", "buffer", "constant"})
_MAKERS = frozenset({"zeros", "ones", "empty", "rand", "randn", "Tensor"})


def parameter_candidates(graph: Graph, failed: int, slicer: Slicer) -> Iterator[Candidate]:
    """The edits after which a parameter has the size of the other operand, of those that the failing line reads."""
    node = graph.nodes[failed]
    held = [id for id in node.inputs if graph.producer(id).op in _HELD]
    if node.op not in ops.ELEMENTWISE or node.site is None or not held or not slicer.owns(node.site.path):
        return
    file = call_sites.parsed_file(node.site.path, slicer.texts)
    shapes = [graph.tensor(id).shape for id in node.inputs]
    if file is None:
        return
    for dim in merges.differing(graph, node)[:1]:
        from_end = dim - max(map(len, shapes))
        for id in held:
            shape = graph.tensor(id).shape
            others = [s[from_end] for s in shapes if -from_end <= len(s) and s[from_end] not in (1, shape[from_end])]
            for sizes in _written(file, node.site.line) if others else ():
                if len(sizes) == len(shape):
                    yield from _texts(node.site.path, file, sizes[from_end], shape[from_end], others[0])


def _written(file: ParsedFile, line: int) -> Iterator[list[ast.expr]]:
    """The sizes with which the attributes that a line reads are made."""
    names = {each.attr for each in file.nodes if isinstance(each, ast.Attribute) and each.lineno == line}
    for name in sorted(names):
        values = [*attributes(file, name)]
        for call in file.nodes:
            match call:
                case ast.Call(func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=written), value]):
                    values += [value] if written == name else []
        for value in values:
            for inner in ast.walk(value):
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _MAKERS:
                    first = inner.args[0] if len(inner.args) == 1 else None
                    yield first.elts if isinstance(first, ast.Tuple | ast.List) else inner.args


def _texts(path: str, file: ParsedFile, size: ast.expr, value: int, wanted: int) -> Iterator[Candidate]:
    written = ast.unparse(size)
    operand = written if isinstance(size, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({written})"
    texts = [f"{written} {'+' if wanted > value else '-'} {abs(wanted - value)}"]
    if isinstance(size, ast.Constant):
        texts = [str(wanted)]
    elif wanted % value == 0:
        texts.insert(0, f"{wanted // value} * {operand}")
    elif value % wanted == 0:
        texts.insert(0, f"{operand} // {value // wanted}")
    site = lines.span(path, size, file.lines)
    for order, text in enumerate(texts):
        words = f"replace `{written}` with `{text}`"
        cost = UNUSUAL if text.startswith(f"{written} ") and abs(wanted - value) > 1 else (order,)
        yield Candidate(Edit(site, text), None, None, Fraction(wanted), cost, cost, site, words)
