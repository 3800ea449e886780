"""The text of hovers: over a call, an attribute, a finding or the code of a rule."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from convlint.integrations.lsp.inlay_hints import KnownShapes
from convlint.integrations.lsp.linting import contains
from convlint.integrations.lsp.positions import moved_site
from convlint.integrations.lsp.run_facts import ModulesAtCall, modules_at_call
from convlint.integrations.lsp.shapes import BuiltModule, texts
from convlint.ir import Site
from convlint.source_text import lines

_MAX_ROWS = 8  # of a table
_CODE = re.compile(r"\bCVL\d{3}\b")
_NOTE = "From static analysis: run the model for its MACs and memory."


def static_modules_at(
    known: KnownShapes, path: str, now: Sequence[str], line: int, column: int
) -> ModulesAtCall | None:
    """Return the modules that the innermost call around a position builds, as far as static analysis knows them.

    Models, examples and top-level code show real numbers; classes alone are shown if there are none.
    """
    modules: dict[Site, list[tuple[str, BuiltModule]]] = {}
    for is_real in (True, False):
        for execution in known.executions:
            if (execution.kind not in ("class", "factory")) is not is_real:
                continue
            for built in execution.built:
                if os.path.abspath(built.site.path) != path:
                    continue
                site = moved_site(built.site, known.lines, now)
                if site is not None and contains(site, line, column):
                    modules.setdefault(site, []).append((execution.name or os.path.basename(path), built))
        if modules:
            break
    return modules_at_call(modules, _NOTE)


def code_at(text: str, column: int) -> tuple[str, int, int] | None:
    """Return the code of a rule in a comment on a line, around a column from 1, and its first and last column."""
    start = text.find("#")
    for match in _CODE.finditer(text):
        if 0 <= start < match.start() and match.start() + 1 <= column <= match.end() + 1:
            return match[0], match.start() + 1, match.end() + 1
    return None


def rules(codes: Iterable[str]) -> str:
    """Return what rules report and why that is bad, in Markdown; "" for unknown codes."""
    from convlint.docsgen import rule_pages  # which loads all rules

    parts = []
    for code in dict.fromkeys(codes):
        try:
            rule = rule_pages.find(code)
        except rule_pages.UnknownRuleError:
            continue
        what, *rest = re.split(r"\n\n(?=## )", rule.page())
        why = next((part.partition("\n\n")[2] for part in rest if part.startswith("## Why")), "")
        parts.append("\n\n".join(part for part in (f"**{rule.code}: {rule.name}**", what, why) if part))
    return "\n\n---\n\n".join(parts)


def assignments_at(text: str, line: int, column: int) -> list[tuple[int, int]]:
    """Return the positions where the class assigns the attribute, such as ``self.conv``, at a position."""
    tree, split = lines.parse(text), lines.split(text)
    for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)) if tree else ():
        inside = [*ast.walk(cls)]
        for node in inside:
            if _is_self_attribute(node) and contains(lines.span("", node, split), line, column):
                sites = [
                    lines.span("", other.value, split)
                    for other in inside
                    if isinstance(other, ast.Assign)
                    and any(_is_self_attribute(target) and target.attr == node.attr for target in other.targets)
                ]
                return [(site.line, site.column) for site in sites]
    return []


def _is_self_attribute(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def modules_table(modules: ModulesAtCall) -> str:
    """Return Markdown tables of the modules that were built at a call."""
    parts = []
    for target in dict.fromkeys(target for target, _ in modules.built):
        built = [module for other, module in modules.built if other == target]
        uncalled = "not followed" if modules.note == _NOTE else "not reached"
        rows = [_row(module, uncalled) for module in built[:_MAX_ROWS]]
        if len(built) > _MAX_ROWS:
            rows.append(f"| and {len(built) - _MAX_ROWS} more | | | | |")
        if len(built) > 1:
            rows.append(_sum(built))
        kinds = ", ".join(dict.fromkeys(f"`{module.kind}`" for module in built))
        head = ["| layer | in | out | params | MACs |", "|---|---|---|---:|---:|"]
        parts.append("\n".join([f"{kinds} in `{target}`", "", *head, *rows]))
    if modules.note:
        parts.append(modules.note)
    return "\n\n".join(parts)


def _row(module: BuiltModule, uncalled: str) -> str:
    name = f"`{module.name}`" if module.name else "the model"
    if module.calls == 0:
        return f"| {name} | {uncalled} | | {_count(module.params)} | |"
    times = f" ({module.calls} calls)" if module.calls > 1 else ""
    inside, out = texts(module.inputs) or "none", texts(module.outputs) or "none"
    return f"| {name}{times} | {inside} | {out} | {_count(module.params)} | {_count(module.macs)} |"


def _sum(built: Sequence[BuiltModule]) -> str:
    params, macs = _total([module.params for module in built]), _total([module.macs for module in built])
    return f"| **all {len(built)}** | | | **{_count(params)}** | **{_count(macs)}** |"


def _total(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
