"""Inlay hints: the shape that each call in a file returns, from static analysis or from the last run."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Sequence

from convlint.integrations.lsp.positions import moved_site
from convlint.integrations.lsp.run_facts import RunFacts
from convlint.integrations.lsp.shapes import Result, label, tooltip
from convlint.integrations.lsp.static_shapes import KINDS, ExecutionShapes
from convlint.ir import Site
from convlint.source_text import lines
from convlint.support.dataclass import dataclass, replace

Span = tuple[int, int, int, int]
LinesOf = Callable[[str], Sequence[str]]

_ORIGINS = {
    "model": "From static analysis of {names}.",
    "example": "From static analysis with `example_input_array`.",
    "file": "From static analysis of the code in this file.",
    "function": "From static analysis of {names}.",
    "class": "From static analysis of {names} alone: N, H and W are sizes of its input.",
    "factory": "From static analysis of {names}: N, H and W are sizes of the input.",
    "run": "From the last run of {names}.",
    "outdated run": "From the last run of {names}; its files have changed since.",
}


@dataclass(frozen=True, slots=True)
class KnownShapes:
    """The shapes that static analysis knew when a document had these ``lines``."""

    lines: Sequence[str]
    executions: tuple[ExecutionShapes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """Results from executions or runs of one kind."""

    kind: str
    name: str
    results: Sequence[Result]


def hints(path: str, text: str, known: KnownShapes, runs: RunFacts, lines_of: LinesOf) -> list[tuple[Site, str, str]]:
    """Return the call, the label and the tooltip of each hint in a document."""
    calls = _calls(path, lines.split(text)) or _moved_calls(path, known.lines, lines.split(text))
    sources = list(_sources(path, known, runs, lines_of))
    found = []
    for span, (kind, names, results) in _best(sources).items():
        if span in calls:
            shown, site = label(results), Site(path, *span)
            if shown is not None:
                origin = _ORIGINS[kind].format(names=", ".join(f"`{name}`" for name in names))
                found.append((site, shown, tooltip(results, origin)))
    return sorted(found, key=lambda hint: (hint[0].end_line, hint[0].end_column))


def _calls(path: str, split: list[str]) -> set[Span]:
    """Return the spans of the calls in functions and methods; none if there is a syntax error."""
    tree = lines.parse("".join(split))
    nodes = ast.walk(tree) if tree is not None else ()
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    calls = {node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)}
    return {_span(lines.span(path, node, split)) for node in calls}


def _moved_calls(path: str, before: Sequence[str], now: Sequence[str]) -> set[Span]:
    """Return the spans of the calls in an earlier text, on lines that are unchanged."""
    sites = (moved_site(Site(path, *span), before, now) for span in _calls(path, list(before)))
    return {_span(site) for site in sites if site is not None}


def _span(site: Site) -> Span:
    return site.line, site.column, site.end_line, site.end_column


def _sources(path: str, known: KnownShapes, runs: RunFacts, lines_of: LinesOf) -> Iterator[_Source]:
    """Yield the results in a file: a model whose files are as they were run needs no static analysis."""
    were_run = set()
    for target, is_current, results in runs.results(path, lines_of):
        yield _Source("run" if is_current else "outdated run", target, results)
        if is_current:
            were_run.add(target)
    now = lines_of(path)
    for execution in known.executions:
        if execution.kind == "model" and execution.name in were_run:
            continue
        here = [result for result in execution.results if os.path.abspath(result.site.path) == path]
        sites = {site: moved_site(site, known.lines, now) for site in {result.site for result in here}}
        moved_results = [replace(r, site=site) for r in here if (site := sites[r.site]) is not None]
        yield _Source(execution.kind, execution.name, moved_results)


def _best(sources: Sequence[_Source]) -> dict[Span, tuple[str, list[str], list[Result]]]:
    """Return the results at each call: of real calls if their shapes are known, else the most general ones."""
    groups = (("run", "model"), ("example",), ("file", "function"), ("outdated run",))
    best: dict[Span, tuple[str, list[str], list[Result]]] = {}
    for exact, kinds in [*((True, group) for group in groups), *((False, (kind,)) for kind in KINDS)]:
        at: dict[Span, list[tuple[_Source, Result]]] = {}
        for source in sources:
            if source.kind in kinds:
                for result in source.results:
                    at.setdefault(_span(result.site), []).append((source, result))
        for span, pairs in at.items():
            if span in best or not any(r.is_exact if exact else r.shapes for _, r in pairs):
                continue
            names = list(dict.fromkeys(source.name for source, _ in pairs))
            best[span] = pairs[0][0].kind, names, [result for _, result in pairs]
    return best
