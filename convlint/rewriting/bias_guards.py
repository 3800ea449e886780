"""Initialisation of the bias of every convolution: it gets a condition, because one of the two new ones has no bias."""

from __future__ import annotations

import ast

from convlint.ir import Edit
from convlint.rewriting.call_text import source, step_of
from convlint.source_text import lines
from convlint.source_text.call_sites import ParsedFile, WrittenCall


def of_file(call: WrittenCall) -> tuple[Edit, ...]:
    """The edits of statements like ``nn.init.zeros_(m.bias)``, which run for convolutions and have no condition yet."""
    found = []
    for node in call.file.nodes:
        layer = _layer_of_bias(node) if isinstance(node, ast.Expr) else ""
        if isinstance(node, ast.Expr) and layer and _runs_for_convolutions(call.file, node, layer):
            line, written = call.file.lines[node.lineno - 1], source(call, node.value)
            indent = line[: node.col_offset]
            if not indent.strip() and line.strip() == written:
                text = f"if {layer}.bias is not None:\n{indent}{step_of(indent)}{written}"
                found.append(Edit(lines.span(call.site.path, node.value, call.file.lines), text))
    return tuple(found)


def _layer_of_bias(statement: ast.Expr) -> str:
    """The variable whose bias a statement reads; empty if it reads none, or those of several."""
    reads = [node for node in ast.walk(statement) if isinstance(node, ast.Attribute) and node.attr == "bias"]
    names = {node.value.id for node in reads if isinstance(node.value, ast.Name)} - {"self"}
    return names.pop() if len(names) == 1 and len(reads) == 1 else ""


def _runs_for_convolutions(file: ParsedFile, statement: ast.stmt, layer: str) -> bool:
    """Return whether a condition around a statement selects convolutions, and none is on the bias."""
    node: ast.AST = statement
    selected = False
    while node in file.parents:
        node, field = file.parents[node]
        if isinstance(node, ast.If) and field == "body":
            test = ast.unparse(node.test)
            is_about_it = any(isinstance(each, ast.Name) and each.id == layer for each in ast.walk(node.test))
            if f"{layer}.bias" in test or "hasattr" in test or (is_about_it and not selected and "Conv" not in test):
                return False
            selected = selected or "Conv" in test
    return selected
