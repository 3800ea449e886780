"""Reads of the weight and bias of a layer that is rewritten: they become reads of one of its children."""

from __future__ import annotations

import ast

from convlint.ir import Edit, Site
from convlint.source_text import lines
from convlint.source_text.call_sites import WrittenCall

STATE = frozenset({"weight", "bias"})
OF_LAST = STATE | {"out_channels"}  # what the last of several convolutions has like the layer


def of_child(call: WrittenCall, child: str, names: frozenset[str] = STATE) -> tuple[Edit, ...]:
    """The edits of reads such as ``self.conv.weight``, for the layer that a call assigns to ``self.conv``.

    None where the file assigns something else to an attribute of that name, which the same code may read.
    """
    parent, _ = call.file.parents[call.node]
    if not (isinstance(parent, ast.Assign) and parent.value is call.node and len(parent.targets) == 1):
        return ()
    target = parent.targets[0]
    attributes = [node for node in call.file.nodes if isinstance(node, ast.Attribute)]
    name = target.attr if isinstance(target, ast.Attribute) else ""
    if [node for node in attributes if node.attr == name and isinstance(node.ctx, ast.Store)] != [target]:
        return ()
    reads = [node.value for node in attributes if node.attr in names and isinstance(node.value, ast.Attribute)]
    return tuple(_after(call, node, f".{child}") for node in reads if node.attr == name)


def _after(call: WrittenCall, node: ast.expr, text: str) -> Edit:
    """The edit that inserts a text after an expression."""
    span = lines.span(call.site.path, node, call.file.lines)
    end = Site(span.path, span.end_line, span.end_column, span.end_line, span.end_column)
    return Edit(end, text)
