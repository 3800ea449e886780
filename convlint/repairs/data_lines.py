"""The lines of data files that numbers of an error come from: ``head_in: 24`` of a YAML file that the program reads."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Finding, Related
from convlint.source_text.site import Site
from convlint.source_text.texts import SourceTexts

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_ITEM = r"""(?<![\w.-])["']?{key}["']?\s*[:=]\s*{number}(?![\w.])"""
_MOST_BYTES = 1 << 20  # of a file that is searched
_MOST = 2  # lines that are named


def with_data_lines(finding: Finding, files: Sequence[str], texts: SourceTexts) -> Finding:
    """Add the lines of ``files`` that hold a number of a finding, under a key that the code at its lines reads.

    A key with that number on several lines is not named.
    """
    sites = [site for site in (finding.site, *(each.site for each in finding.related)) if site is not None]
    said = " ".join([finding.message, *(each.message for each in finding.related)])
    numbers = list(dict.fromkeys(_NUMBER.findall(said)))
    keys = list(dict.fromkeys(key for site in sites for key in _keys(site, texts)))
    found = [
        Related(f"`{key}` is {number} here", places[0])
        for key in keys
        for number in numbers
        if len(places := list(_places(key, number, files, texts))) == 1
    ]
    return finding.with_(related=(*finding.related, *found[:_MOST])) if found else finding


def _keys(site: Site, texts: SourceTexts) -> Iterator[str]:
    """Yield the keys and attributes that the code of a site reads, also through the names in it."""
    try:
        tree = ast.parse(texts.text(site.path))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    inside = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.expr) and site.line <= node.lineno and (node.end_lineno or 0) <= site.end_line
    ]
    names = {node.id for node in inside if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in names for t in node.targets):
            inside += [each for each in ast.walk(node.value) if isinstance(each, ast.expr)]
    yield from _read(inside)


def _read(nodes: Iterable[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Subscript) and isinstance(getattr(node.slice, "value", None), str):
            yield node.slice.value  # type: ignore[attr-defined]


def _places(key: str, number: str, files: Sequence[str], texts: SourceTexts) -> Iterator[Site]:
    item = re.compile(_ITEM.format(key=re.escape(key), number=number))
    for file in files:
        path = os.path.relpath(file)
        shown = file if path.startswith(os.pardir) else path
        if not os.path.isfile(file) or os.path.getsize(file) > _MOST_BYTES:
            continue
        lines = texts.lines(file)
        for position, line in enumerate(lines, start=1):
            match = item.search(line)
            if match is not None:
                yield Site(shown, position, match.start() + 1, position, match.end() + 1)
