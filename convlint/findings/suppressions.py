"""Comments that silence findings: ``# noqa: CVL301``, ``# convlint: ignore[CVL301]``, ``# convlint: skip-file``.

A comment counts for a finding if it stands on a line of the finding's span. Where the last of these lines cannot hold
a comment, since it ends in a backslash or within a string, the line counts in which that ends. Only real comments
count, never text within a string. A bare ``# noqa`` silences every code, as everywhere.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from convlint.ir import Edit, Finding, Fix, Site
from convlint.rules.registry import rule
from convlint.source_text import edits, lines
from convlint.source_text.texts import SourceTexts

_DIRECTIVE = re.compile(
    r"#\s*(?:"
    r"noqa(?P<noqa>\s*:\s*[A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*)?(?![\w:])"
    r"|convlint:\s*ignore\[(?P<ignore>[^\]]*)\]"
    r"|convlint:\s*(?P<skip>skip-file)\b"
    r")",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Z]+\d+", re.IGNORECASE)


# --- what is silenced


def is_suppressed(finding: Finding, texts: SourceTexts) -> bool:
    """Whether a comment in the finding's own file suppresses it."""
    if finding.site is None:
        return False
    try:
        data = texts.data(finding.site.path)
    except OSError:
        return False  # code that has no file, and so no comments
    return silences(data, finding)


def silences(data: bytes, finding: Finding) -> bool:
    """Whether a comment in the file ``data`` silences a finding in it."""
    if finding.site is None:
        return False
    comments = _comments(data)
    return comments.skip or any(comments.silencing(finding))


def is_skipped(data: bytes) -> bool:
    """Whether a file asks not to be checked at all."""
    return _comments(data).skip


@dataclass(frozen=True, slots=True)
class _Directive:
    """One ``noqa`` or ``ignore`` within a comment, and its place in the line. ``codes`` are those that it
    names, each with its place.
    """

    line: int
    start: int
    end: int
    is_noqa: bool
    codes: tuple[tuple[str, int, int], ...]

    @property
    def is_bare(self) -> bool:
        return self.is_noqa and not self.codes

    def names(self, finding: Finding) -> Iterator[str]:
        """Which of its codes, or prefixes of codes, mean a finding."""
        return (code for code, _, _ in self.codes if finding.code.startswith(code.upper()))


class _Comments:
    """The comments of a file. ``lines`` are its lines, ``starts`` where in its line each comment begins."""

    def __init__(self, text: str) -> None:
        self.lines = lines.split(text)
        self.skip = False
        self.directives: dict[int, list[_Directive]] = {}
        self.starts: dict[int, int] = {}
        self._joined: set[int] = set()  # lines that cannot hold a comment: the next goes on
        # What comes before a broken place counts; the file itself is reported when it is read.
        with suppress(tokenize.TokenError, SyntaxError):
            self._read(text)

    def _read(self, text: str) -> None:
        unix = text.replace("\r\n", "\n").replace("\r", "\n")
        ended, row = True, 1
        for token in tokenize.generate_tokens(io.StringIO(unix).readline):
            # Behind a string whose last line looks like a comment, the end of the text is all that comes.
            if not ended and token.type != tokenize.ENDMARKER:
                self._joined.update(range(row, token.start[0]))  # joined by a backslash
            self._joined.update(range(token.start[0], token.end[0]))  # a string of several lines
            ended, row = token.type in (tokenize.NEWLINE, tokenize.NL), token.end[0]
            if token.type == tokenize.COMMENT:
                self.starts[row] = token.start[1]
                for match in _DIRECTIVE.finditer(token.string):
                    self._note(match, row, token.start[1])

    def _note(self, match: re.Match[str], line: int, shift: int) -> None:
        if match["skip"]:
            self.skip = True
            return
        group = "noqa" if match["ignore"] is None else "ignore"
        first = shift + max(match.start(group), 0)
        codes = [
            (code[0], first + code.start(), first + code.end())
            for code in _CODE.finditer(match[group] or "")
        ]
        start, end = shift + match.start(), shift + match.end()
        found = _Directive(line, start, end, group == "noqa", tuple(codes))
        self.directives.setdefault(line, []).append(found)

    def holding(self, line: int) -> int:
        """The line, from ``line`` on, that can hold a comment."""
        while line in self._joined:
            line += 1
        return line

    def silencing(self, finding: Finding) -> Iterator[_Directive]:
        """What silences a finding."""
        site = finding.site
        assert site is not None
        for line in range(site.line, self.holding(max(site.line, site.end_line)) + 1):
            for directive in self.directives.get(line, ()):
                if directive.is_bare or any(directive.names(finding)):
                    yield directive


@lru_cache(maxsize=16)
def _comments(data: bytes) -> _Comments:
    try:
        text, _ = lines.decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        text = ""  # reported as such when it is read
    return _Comments(text)


# --- what silences nothing


@dataclass(frozen=True, slots=True)
class Unused:
    """A comment that silences nothing: its span and text, the codes that are not needed, and the edit
    that takes them out, with the whole comment where nothing else is left of it.
    """

    site: Site
    text: str
    codes: tuple[str, ...]
    fix: Fix


def unused(
    path: str, data: bytes, found: Iterable[Finding], judged: Collection[str]
) -> list[Unused]:
    """The comments of a file that name a code of convlint and silence nothing.

    ``found`` is all that was found in the file before anything was silenced. ``judged`` are the
    codes of the rules that were selected and that the mode which ran decides; nothing is said of
    other codes, of prefixes, of CVL900 itself, and of places whose code could not be followed: a
    file that cannot be parsed, a class or function with a CVL902.
    """
    if b"CVL" not in data.upper() or (tree := lines.parsed(data)) is None:
        return []
    found = [finding for finding in found if finding.site is not None]
    comments = _comments(data)
    needed = {
        (directive, code)
        for finding in found
        for directive in comments.silencing(finding)
        for code in directive.names(finding)
    }
    unfollowed = {f.site.line for f in found if f.code == "CVL902" and f.site is not None}
    unsure: set[int] = set()
    for statement in tree.body:
        span = range(statement.lineno, comments.holding(statement.end_lineno or 0) + 1)
        if not unfollowed.isdisjoint(span):
            unsure.update(span)
    known = set(judged) - {"CVL900"}
    result = []
    for directive in [one for line in comments.directives.values() for one in line]:
        spare = [
            code
            for code, _, _ in directive.codes
            if code.upper() in known and (directive, code) not in needed
        ]
        if spare and directive.line not in unsure:
            result.append(_unused(path, comments, directive, spare))
    return result


def _unused(path: str, comments: _Comments, directive: _Directive, spare: list[str]) -> Unused:
    line, start, end = directive.line, directive.start, directive.end
    text = comments.lines[line - 1]
    kept = [code for code, _, _ in directive.codes if code not in spare]
    if kept:
        span = _span(path, line, directive.codes[0][1], directive.codes[-1][2])
        edit = Edit(span, ", ".join(kept))
    else:
        edit = _without(path, comments, directive)
    names = ", ".join(spare)
    title = f"remove {names} from the comment" if kept or edit.text else "delete the comment"
    site = _span(path, line, start, end)
    return Unused(site, text[start:end], tuple(spare), Fix(title, "safe", (edit,)))


def _without(path: str, comments: _Comments, directive: _Directive) -> Edit:
    """The edit that deletes a directive; other words in the comment stay, a line that is empty then goes."""
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


# --- silencing what is there


def add_noqa(data: bytes, found: Iterable[Finding]) -> tuple[bytes, int]:
    """The file with a ``# noqa`` comment for each finding, and how many findings that silences.

    ``found`` are findings in this file. Those that a comment silences already, and those about the
    file itself (CVL9), are left. Codes join a comment that stands there, sorted. A file that Python
    cannot parse stays as it is.
    """
    if lines.parsed(data) is None:
        return data, 0
    comments = _comments(data)
    wanted: dict[int, list[str]] = {}
    for finding in found:
        site = finding.site
        if site is None or rule(finding.code).family == "file" or silences(data, finding):
            continue
        if 1 <= site.line <= len(comments.lines):
            wanted.setdefault(comments.holding(site.line), []).append(finding.code)
    if not wanted:
        return data, 0
    added = [_noqa(comments, line, codes) for line, codes in wanted.items()]
    return edits.apply(data, added), sum(map(len, wanted.values()))


def _noqa(comments: _Comments, line: int, codes: list[str]) -> Edit:
    """The edit that names ``codes`` in the comment at the end of a line."""
    for directive in comments.directives.get(line, ()):
        if directive.codes and directive.is_noqa:
            named = [code.upper() for code, _, _ in directive.codes]
            span = _span("", line, directive.codes[0][1], directive.codes[-1][2])
            return Edit(span, ", ".join(sorted({*named, *codes})))
    text = comments.lines[line - 1].rstrip("\r\n")
    code = len(text.rstrip())
    comment = f"# noqa: {', '.join(sorted(set(codes)))}"
    return Edit(_span("", line, code, len(text)), f"  {comment}" if code else comment)
