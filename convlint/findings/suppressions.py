"""Comments that suppress findings: ``# noqa: CVL301``, ``# convlint: ignore[CVL301]``, ``# convlint: skip-file``.

A comment applies to the findings whose span includes its line. If the last line of the span ends in a backslash or
inside a string, it cannot have a comment, and the line where the string or statement ends counts too. Text in a string
is not a comment. A bare ``# noqa`` suppresses every code, as in other linters.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import chain

from convlint.ir import Edit, Finding, Fix, Site
from convlint.rules.registry import rule
from convlint.source_text import edits, lines
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass

_DIRECTIVE = re.compile(
    r"#\s*(?:"
    r"noqa(?P<noqa>\s*:\s*[A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*)?(?![\w:])"
    r"|convlint:\s*ignore\[(?P<ignore>[^\]]*)\]"
    r"|convlint:\s*(?P<skip>skip-file)\b"
    r")",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Z]+\d+", re.IGNORECASE)


# --- suppressed findings


def is_suppressed(finding: Finding, texts: SourceTexts) -> bool:
    """Check whether a comment in the finding's file suppresses it."""
    if finding.site is None:
        return False
    try:
        data = texts.data(finding.site.path)
    except OSError:
        return False  # code without a file has no comments
    return suppresses(data, finding)


def suppresses(data: bytes, finding: Finding) -> bool:
    """Check whether a comment in the file ``data`` suppresses a finding in it."""
    if finding.site is None:
        return False
    comments = _comments(data)
    return comments.skip_file or any(comments.suppressing(finding))


def skips_file(data: bytes) -> bool:
    return _comments(data).skip_file


@dataclass(frozen=True, eq=False)
class _Directive:
    """A ``noqa`` or ``ignore`` in a comment, with its place in the line, and its codes with theirs."""

    line: int
    start: int
    end: int
    is_noqa: bool
    codes: tuple[tuple[str, int, int], ...]

    def names(self, finding: Finding) -> frozenset[str]:
        """Return those of its codes and prefixes that match a finding."""
        if not self.codes:
            return frozenset()
        prefixes = (finding.code[:length] for length in range(len(finding.code) + 1))
        return frozenset[str]().union(*(self._spellings.get(prefix, ()) for prefix in prefixes))

    @cached_property
    def _spellings(self) -> dict[str, set[str]]:
        """The codes as they are written, by their upper case."""
        spellings: dict[str, set[str]] = {}
        for code, _, _ in self.codes:
            spellings.setdefault(code.upper(), set()).add(code)
        return spellings


class _Comments:
    """The comments of a file. ``starts`` are their offsets in their lines."""

    def __init__(self, text: str) -> None:
        self.lines = lines.split(text)
        self.skip_file = False
        self.directives: dict[int, list[_Directive]] = {}
        self.starts: dict[int, int] = {}
        self._joined: set[int] = set()  # lines that cannot have a comment, because the next continues them
        # Comments before a syntax error count; the error itself is reported when the file is parsed.
        with suppress(tokenize.TokenError, SyntaxError):
            self._read(text)
        self._first_after: dict[int, int] = {}
        for line in sorted(self._joined, reverse=True):
            self._first_after[line] = self._first_after.get(line + 1, line + 1)

    def _read(self, text: str) -> None:
        unix = text.replace("\r\n", "\n").replace("\r", "\n")
        ended, row = True, 1
        for token in tokenize.generate_tokens(io.StringIO(unix).readline):
            # After a string whose last line looks like a comment, only the end marker follows.
            if not ended and token.type != tokenize.ENDMARKER:
                self._joined.update(range(row, token.start[0]))  # joined by a backslash
            self._joined.update(range(token.start[0], token.end[0]))  # a string of several lines
            ended, row = token.type in (tokenize.NEWLINE, tokenize.NL), token.end[0]
            if token.type == tokenize.COMMENT:
                self.starts[row] = token.start[1]
                for match in _DIRECTIVE.finditer(token.string):
                    self._add(match, row, token.start[1])

    def _add(self, match: re.Match[str], line: int, shift: int) -> None:
        if match["skip"]:
            self.skip_file = True
            return
        group = "noqa" if match["ignore"] is None else "ignore"
        first = shift + max(match.start(group), 0)
        codes = [(code[0], first + code.start(), first + code.end()) for code in _CODE.finditer(match[group] or "")]
        start, end = shift + match.start(), shift + match.end()
        self.directives.setdefault(line, []).append(_Directive(line, start, end, group == "noqa", tuple(codes)))

    def comment_line(self, line: int) -> int:
        """Return the first line, from ``line`` on, that can have a comment."""
        return self._first_after.get(line, line)

    def suppressing(self, finding: Finding) -> Iterator[_Directive]:
        site = finding.site
        assert site is not None
        for line in range(site.line, self.comment_line(max(site.line, site.end_line)) + 1):
            for directive in self.directives.get(line, ()):
                if (directive.is_noqa and not directive.codes) or directive.names(finding):
                    yield directive


@lru_cache(maxsize=16)
def _comments(data: bytes) -> _Comments:
    try:
        text, _ = lines.decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        text = ""  # reported when the file is parsed
    return _Comments(text)


# --- unused suppressions


@dataclass(frozen=True, slots=True)
class Unused:
    """A comment that suppresses nothing: its site and text, its unused codes, and the fix that removes them."""

    site: Site
    text: str
    codes: tuple[str, ...]
    fix: Fix


def unused(path: str, data: bytes, findings: Iterable[Finding], checked: Collection[str]) -> list[Unused]:
    """Return the comments of a file that name a code of convlint and suppress nothing.

    ``findings`` are those of the file before suppression. ``checked`` are the codes of the selected rules that this
    mode decides. Other codes, prefixes and CVL900 itself are never unused, nor is a comment where the analysis is
    incomplete: in a file with a syntax error, or in a class or function with a CVL902.
    """
    if b"CVL" not in data.upper() or (tree := lines.parse(data)) is None:
        return []
    findings = [finding for finding in findings if finding.site is not None]
    comments = _comments(data)
    needed = {
        (directive, code)
        for finding in findings
        for directive in comments.suppressing(finding)
        for code in directive.names(finding)
    }
    incomplete = {f.site.line for f in findings if f.code == "CVL902" and f.site is not None}
    excluded: set[int] = set()
    for statement in tree.body:
        span = range(statement.lineno, comments.comment_line(statement.end_lineno or 0) + 1)
        if not incomplete.isdisjoint(span):
            excluded.update(span)
    candidates = set(checked) - {"CVL900"}
    result = []
    for directive in chain.from_iterable(comments.directives.values()):
        unused_codes = [
            code for code, _, _ in directive.codes if code.upper() in candidates and (directive, code) not in needed
        ]
        if unused_codes and directive.line not in excluded:
            result.append(_unused(path, comments, directive, unused_codes))
    return result


def _unused(path: str, comments: _Comments, directive: _Directive, codes: list[str]) -> Unused:
    line, start, end = directive.line, directive.start, directive.end
    text = comments.lines[line - 1]
    unused_codes = set(codes)
    kept = [code for code, _, _ in directive.codes if code not in unused_codes]
    if kept:
        edit = Edit(_span(path, line, directive.codes[0][1], directive.codes[-1][2]), ", ".join(kept))
    else:
        edit = _without(path, comments, directive)
    names = ", ".join(codes)
    title = f"remove {names} from the comment" if kept or edit.text else "delete the comment"
    return Unused(_span(path, line, start, end), text[start:end], tuple(codes), Fix(title, "safe", (edit,)))


def _without(path: str, comments: _Comments, directive: _Directive) -> Edit:
    """Return the edit that deletes a directive, but no other text of the comment; a line left empty is deleted."""
    line = directive.line
    text = comments.lines[line - 1].rstrip("\r\n")
    start = comments.starts[line]
    before, after = text[start : directive.start].rstrip("# \t"), text[directive.end :].strip()
    if not after.startswith("#"):
        after = after.lstrip("-:,;. ")
        after = after and f"# {after}"
    if left := "  ".join(filter(None, (before, after))):
        return Edit(_span(path, line, start, len(text)), left)
    code = len(text[:start].rstrip())
    if code == 0 and line < len(comments.lines):
        return Edit(Site(path, line, 1, line + 1, 1), "")
    return Edit(_span(path, line, code, len(text)), "")


def _span(path: str, line: int, start: int, end: int) -> Site:
    return Site(path, line, start + 1, line, end + 1)


# --- suppress all findings


def add_noqa(data: bytes, findings: Iterable[Finding]) -> tuple[bytes, int]:
    """Return the file with a ``# noqa`` comment for each finding, and the number of findings that it suppresses.

    ``findings`` are in this file. Those that are already suppressed, and those about the file itself (CVL9), are
    skipped. Codes are added to an existing comment, sorted. A file that Python cannot parse stays as it is.
    """
    if lines.parse(data) is None:
        return data, 0
    comments = _comments(data)
    added: dict[int, list[str]] = {}
    for finding in findings:
        site = finding.site
        if site is None or rule(finding.code).family == "file" or suppresses(data, finding):
            continue
        if 1 <= site.line <= len(comments.lines):
            added.setdefault(comments.comment_line(site.line), []).append(finding.code)
    if not added:
        return data, 0
    comment_edits = [_noqa(comments, line, codes) for line, codes in added.items()]
    return edits.apply(data, comment_edits), sum(map(len, added.values()))


def _noqa(comments: _Comments, line: int, codes: list[str]) -> Edit:
    """Return the edit that adds ``codes`` to the comment of a line."""
    for directive in comments.directives.get(line, ()):
        if directive.codes and directive.is_noqa:
            named = [code.upper() for code, _, _ in directive.codes]
            span = _span("", line, directive.codes[0][1], directive.codes[-1][2])
            return Edit(span, ", ".join(sorted({*named, *codes})))
    text = comments.lines[line - 1].rstrip("\r\n")
    code = len(text.rstrip())
    comment = f"# noqa: {', '.join(sorted(set(codes)))}"
    return Edit(_span("", line, code, len(text)), f"  {comment}" if code else comment)
