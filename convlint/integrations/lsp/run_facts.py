"""The results of model runs per call in a file, as the text of hovers and code lenses."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from convlint.integrations.lsp.linting import contains, innermost
from convlint.integrations.lsp.positions import moved
from convlint.integrations.lsp.run_process import BuiltModule, ModelSummary
from convlint.ir import Shape, Site
from convlint.settings.targets import Target
from convlint.source_text import lines
from convlint.support.dataclass import dataclass, replace

_MAX_ROWS = 8  # of a hover


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a model, with its number of findings, and the lines of its files at that time, by path."""

    summary: ModelSummary
    findings: int
    lines: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ModulesAtCall:
    """The modules that models built at a call, its present site, and whether the file has changed since."""

    site: Site
    built: tuple[tuple[str, BuiltModule], ...]  # with the model's target
    changed: bool


class RunFacts:
    """The last run of each model, by the folder of its project and its target."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], LastRun] = {}

    def add(self, root: str, target: str, run: LastRun) -> None:
        self._runs[root, target] = run

    def last_run(self, root: str, target: str) -> LastRun | None:
        return self._runs.get((root, target))

    def modules_at(self, path: str, now: Sequence[str], line: int, column: int) -> ModulesAtCall | None:
        """Return the modules built by the innermost call around a position; None if no run built any."""
        modules: dict[Site, list[tuple[str, BuiltModule]]] = {}
        changed = False
        for (_, target), run in self._runs.items():
            before = run.lines.get(path)
            if before is None:
                continue
            changed = changed or before != now
            for built in run.summary.built:
                site = _moved(built.site, before, now) if built.site.path == path else None
                if site is not None and contains(site, line, column):
                    modules.setdefault(site, []).append((target, built))
        if not modules:
            return None
        site = innermost(list(modules))
        return ModulesAtCall(site, tuple(modules[site]), changed)


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


def _moved(site: Site, before: Sequence[str], now: Sequence[str]) -> Site | None:
    shift = moved(before, now, site.line, site.end_line or site.line)
    if shift is None:
        return None
    return replace(site, line=site.line + shift, end_line=(site.end_line or site.line) + shift)


def hover(modules: ModulesAtCall) -> str:
    """Return a Markdown table of the modules that were built at a call."""
    parts = []
    for target in dict.fromkeys(target for target, _ in modules.built):
        built = [module for other, module in modules.built if other == target]
        rows = [_row(module) for module in built[:_MAX_ROWS]]
        if len(built) > _MAX_ROWS:
            rows.append(f"| and {len(built) - _MAX_ROWS} more | | | | |")
        if len(built) > 1:
            rows.append(_sum(built))
        kinds = ", ".join(dict.fromkeys(f"`{module.kind}`" for module in built))
        head = ["| layer | in | out | params | MACs |", "|---|---|---|---:|---:|"]
        parts.append("\n".join([f"{kinds} in `{target}`", "", *head, *rows]))
    if modules.changed:
        parts.append("From the last run; the file has changed since.")
    return "\n\n".join(parts)


def _row(module: BuiltModule) -> str:
    name = f"`{module.name}`" if module.name else "the model"
    if module.calls == 0:
        return f"| {name} | never called | | {module.params:,} | |"
    times = f" ({module.calls} calls)" if module.calls > 1 else ""
    inside, out = _shapes(module.inputs), _shapes(module.outputs)
    return f"| {name}{times} | {inside} | {out} | {module.params:,} | {_macs(module.macs)} |"


def _sum(built: Sequence[BuiltModule]) -> str:
    macs = [module.macs for module in built if module.macs is not None]
    whole = sum(macs) if len(macs) == len(built) else None
    params = sum(module.params for module in built)
    return f"| **all {len(built)}** | | | **{params:,}** | **{_macs(whole)}** |"


def _shapes(shapes: Sequence[Shape]) -> str:
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in shapes) or "none"


def _macs(macs: int | None) -> str:
    return "unknown" if macs is None else f"{macs:,}"


def lens(target: str, run: LastRun | None) -> str:
    """Return the title of the code lens of a model, with the result of its last run."""
    if run is None:
        return f"Run {target}"
    summary, findings = run.summary, f"{run.findings} finding{'' if run.findings == 1 else 's'}"
    incomplete = "" if summary.status == "complete" else "; it did not run to the end"
    return f"Run {target} again ({summary.params:,} params, {summary.macs:,} MACs, {findings}{incomplete})"


def line_of(target: Target, path: str, text: str) -> int:
    """Return the line, from 1, that defines the model of a target; 1 if that is in another file or not found."""
    tree = lines.parse(text) if target.path and os.path.abspath(target.path) == path else None
    line, body = 1, tree.body if tree else []
    for part in (target.name or "").split("."):
        definition = next((node for node in body if part in _names(node)), None)
        if definition is None:
            break
        line, body = definition.lineno, getattr(definition, "body", [])
    return line


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()
