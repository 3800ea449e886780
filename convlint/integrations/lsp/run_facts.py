"""The results of model runs per call in a file, as the text of hovers and code lenses."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from convlint.integrations.lsp.linting import contains, innermost
from convlint.integrations.lsp.positions import moved_site
from convlint.integrations.lsp.run_process import ModelSummary
from convlint.integrations.lsp.shapes import BuiltModule, Result
from convlint.ir import Site
from convlint.settings.targets import Target
from convlint.source_text import lines
from convlint.support.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a model, with its number of findings, and the lines of its files at that time, by path."""

    summary: ModelSummary
    findings: int
    lines: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ModulesAtCall:
    """The modules that models built at a call, its present site, and a ``note`` on where their numbers come from."""

    site: Site
    built: tuple[tuple[str, BuiltModule], ...]  # with the model's target
    note: str = ""


class RunFacts:
    """The last run of each model, by the folder of its project and its target."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], LastRun] = {}

    def add(self, root: str, target: str, run: LastRun) -> None:
        self._runs[root, target] = run

    def last_run(self, root: str, target: str) -> LastRun | None:
        return self._runs.get((root, target))

    def results(
        self, path: str, lines_of: Callable[[str], Sequence[str]]
    ) -> Iterator[tuple[str, bool, Sequence[Result]]]:
        """Yield the target of each run that used a file, whether its files are unchanged, and the results in the file,
        at their present sites.
        """
        now = lines_of(path)
        for (_, target), run in self._runs.items():
            before = run.lines.get(path)
            if before is None:
                continue
            changed = any(lines_of(other) != lines for other, lines in run.lines.items())
            here = [result for result in run.summary.results if result.site.path == path]
            sites = {site: moved_site(site, before, now) for site in {result.site for result in here}}
            yield target, not changed, [replace(r, site=site) for r in here if (site := sites[r.site]) is not None]

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
                site = moved_site(built.site, before, now) if built.site.path == path else None
                if site is not None and contains(site, line, column):
                    modules.setdefault(site, []).append((target, built))
        return modules_at_call(modules, "From the last run; the file has changed since." if changed else "")


def modules_at_call(modules: Mapping[Site, Sequence[tuple[str, BuiltModule]]], note: str) -> ModulesAtCall | None:
    """Return the modules of the innermost of some calls around one position; None if there is none."""
    if not modules:
        return None
    site = innermost(list(modules))
    return ModulesAtCall(site, tuple(modules[site]), note)


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
