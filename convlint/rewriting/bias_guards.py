"""Initialisation of the bias of every convolution: it gets a condition, because one of the two new ones has no bias."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from convlint.ir import Edit, Site
from convlint.rewriting import related_files
from convlint.rewriting.base import EditedCall
from convlint.rewriting.call_text import step_of
from convlint.source_text import call_sites, lines
from convlint.source_text.call_sites import ParsedFile

_BODIES = ("body", "orelse", "finalbody")
_CONVOLUTION = re.compile(r"\bConv(?:Transpose)?\dd\b")
_AFTER = re.compile(r"\s*(#.*)?$")


def of_files(edited: EditedCall, base: str) -> tuple[Edit, ...]:
    """The edits of statements like ``nn.init.zeros_(m.bias)``, which run for convolutions and have no condition yet.

    They may be in the file of the call, in files that call it, and in those that these import.
    """
    found: list[Edit] = []
    for path, text in related_files.texts(edited).items():
        found += _of_text(path, text, f"Conv{base[-2:]}")
    return tuple(found)


@lru_cache(maxsize=256)
def _of_text(path: str, text: str, without_bias: str) -> tuple[Edit, ...]:
    file = call_sites.of_text(text) if ".bias" in text and "Conv" in text else None
    found: list[Edit] = []
    if file is None:
        return ()
    for parent in file.nodes:
        for field in _BODIES:
            body = getattr(parent, field, None)
            if isinstance(body, list):
                layers = {each: _layer_of_bias(each) for each in body}
                guarded = {
                    each: layer
                    for each, layer in layers.items()
                    if layer and _runs_for_convolutions(file, each, layer, without_bias)
                }
                found += _of_body(path, file, parent, body, guarded)
    return tuple(found)


def _of_body(
    path: str, file: ParsedFile, parent: ast.AST, body: list[ast.stmt], guarded: dict[ast.stmt, str]
) -> Iterator[Edit]:
    """One edit for each line of a body that has such statements: all statements of the line get lines of their own."""
    for number in dict.fromkeys(each.lineno for each in guarded):
        together = [each for each in body if each.lineno == number]
        first, last = together[0], together[-1]
        span = lines.span(path, first, file.lines)
        end = lines.span(path, last, file.lines)
        before = file.lines[number - 1][: span.column - 1]
        if not _AFTER.match(file.lines[end.end_line - 1][end.end_column - 1 :]):
            continue
        column, start = span.column, ""
        indent = before
        if before.strip():  # in the line of the ``if`` itself
            above = file.lines[getattr(parent, "lineno", number) - 1]
            outer = above[: len(above) - len(above.lstrip())]
            column, indent = len(before.rstrip()) + 1, outer + step_of(outer)
            start = f"\n{indent}"
        texts = [_guarded(file, each, guarded.get(each, ""), indent) for each in together]
        site = Site(path, number, column, end.end_line, end.end_column)
        if None not in texts:
            yield Edit(site, start + f"\n{indent}".join(filter(None, texts)))


def _guarded(file: ParsedFile, statement: ast.stmt, layer: str, indent: str) -> str | None:
    """A statement under a condition; None if it has lines that cannot be indented."""
    text = ast.get_source_segment("".join(file.lines), statement) or ""
    if not layer:
        return text
    step = step_of(indent)
    first, *more = text.splitlines(keepends=True)
    if more and any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(statement)):
        return None
    return f"if {layer}.bias is not None:\n{indent}{step}{first}{''.join(f'{step}{line}' for line in more)}"


def _layer_of_bias(statement: ast.stmt) -> str:
    """The variable whose bias a statement reads; empty if it reads none, or those of several, or under a condition."""
    if not isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign):
        return ""
    if isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Call):
        return ""
    reads = [node for node in ast.walk(statement) if isinstance(node, ast.Attribute) and node.attr == "bias"]
    names = {node.value.id if isinstance(node.value, ast.Name) else "" for node in reads}
    tests = any(isinstance(node, ast.IfExp | ast.BoolOp | ast.Compare) for node in ast.walk(statement))
    stored = any(isinstance(node.ctx, ast.Store) for node in reads)
    return "" if len(names) != 1 or names & {"self", ""} or tests or stored else names.pop()


def _runs_for_convolutions(file: ParsedFile, statement: ast.stmt, layer: str, without_bias: str) -> bool:
    """Return whether a condition around a statement selects convolutions, and none is on the bias."""
    node: ast.AST = statement
    selected = False
    while node in file.parents:
        node, field = file.parents[node]
        if isinstance(node, ast.If) and field == "body":
            test = ast.unparse(node.test)
            if f"{layer}.bias" in test or f"{layer}, 'bias', None" in test:
                return False
            classes = _CONVOLUTION.findall(test)
            selects = "Conv" in test and (not classes or without_bias in classes)
            is_about_it = any(isinstance(each, ast.Name) and each.id == layer for each in ast.walk(node.test))
            if is_about_it and not selected and not selects and "hasattr" not in test:
                return False
            selected = selected or selects
    return selected
