"""Widths as constructors usually write them: what an edit would make unusual."""

from __future__ import annotations

import ast

from convlint.source_text.bindings import assigned, parameters
from convlint.source_text.call_sites import Function, ParsedFile
from convlint.source_text.trees import expression, nodes_of

OTHER_END = {
    "in_channels": "out_channels",
    "in_features": "out_features",
    "out_channels": "in_channels",
    "out_features": "in_features",
}
"""The parameters for the other one of the two widths of a layer."""


def is_unusual(file: ParsedFile, scope: ast.AST, node: ast.expr, text: str) -> bool:
    """Return whether an edit makes a layer change its width that did not, or leaves a parameter that is never a width
    itself.
    """
    return _splits_widths(file, scope, node, text) or scales_all(scope, node, text)


def _splits_widths(file: ParsedFile, scope: ast.AST, node: ast.expr, text: str) -> bool:
    """Return whether a layer has the same variable for both widths, and another one for this one after the edit, which
    is not computed from it.
    """
    if not isinstance(node, ast.Name) or not text.isidentifier() or node.id == text:
        return False
    if not any(isinstance(n, ast.Name) and n.id == text and isinstance(n.ctx, ast.Load) for n in nodes_of(scope)):
        return False  # nothing else reads it: it was meant
    computed = [value for value, holds in assigned(scope, text) if not holds]
    if any(isinstance(each, ast.Name) and each.id == node.id for value in computed for each in ast.walk(value)):
        return False
    around, _ = file.parents.get(node, (None, ""))
    call = file.parents.get(around, (None, ""))[0] if isinstance(around, ast.keyword) else around
    if not isinstance(call, ast.Call):
        return False
    if isinstance(around, ast.keyword):
        named = OTHER_END.get(around.arg or "")
        others = [keyword.value for keyword in call.keywords if keyword.arg == named]
    else:
        others = [argument for argument in call.args[:2] if argument is not node] if node in call.args[:2] else []
    return any(isinstance(other, ast.Name) and other.id == node.id for other in others)


def scales_all(scope: ast.AST, node: ast.expr, text: str) -> bool:
    """Return whether a parameter would only be read in products or quotients, so that it is the width of no layer, or
    a variable would become a multiple of another one.
    """
    new = expression(text)
    if not isinstance(scope, Function) or not isinstance(node, ast.Name) or not _scales(new):
        return False
    names = {each.id for each in ast.walk(new) if isinstance(each, ast.Name)}
    if node.id not in names:
        return len(names) == 1
    scaled = {part for each in nodes_of(scope) if _scales(each) for part in ast.iter_child_nodes(each)}
    reads = (n for n in nodes_of(scope) if isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Load))
    return node.id in parameters(scope) and all(read is node or read in scaled for read in reads)


def _scales(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.FloorDiv | ast.Div)
