"""Parsing: a file as a syntax tree with spans in characters, and walks over trees."""

from __future__ import annotations

import ast
import io
import re
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

from convlint.ir import Site
from convlint.support.dataclass import dataclass, replace

T = TypeVar("T")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


class UnreadableError(Exception):
    """The file cannot be parsed; without ``is_syntax`` it may be valid, but the parser cannot handle it."""

    def __init__(self, message: str, line: int = 1, column: int = 1, *, is_syntax: bool = True) -> None:
        super().__init__(message)
        self.line, self.column, self.is_syntax = line, column, is_syntax


@dataclass(slots=True, eq=False, repr=False)
class Text:
    """A parsed file. ``path`` is its name in reports."""

    path: str
    text: str
    tree: ast.Module
    ascii: bool
    yields: bool  # whether it may contain a generator
    _lines: list[str] | None = None

    def at(self, path: str) -> Text:
        """The same text under another name in reports."""
        return self if path == self.path else replace(self, path=path)

    @property
    def lines(self) -> list[str]:
        """The lines, as Python counts them."""
        if self._lines is None:
            self._lines = _LINE_ENDS.split(self.text)
        return self._lines

    @property
    def length(self) -> int:
        """The number of lines, approximately."""
        return self.text.count("\n") + 1

    def site(self, node: ast.expr | ast.stmt | ast.arg, function: str = "") -> Site:
        """Return the span of a node."""
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        if self.ascii:
            return Site(self.path, node.lineno, node.col_offset + 1, end_line, end + 1, function)
        start = self._characters(node.lineno, node.col_offset)
        return Site(self.path, node.lineno, start, end_line, self._characters(end_line, end), function)

    def _characters(self, line: int, column: int) -> int:
        if line > len(self.lines):
            return column + 1
        text = self.lines[line - 1]
        if text.isascii():
            return column + 1
        return len(text.encode()[:column].decode(errors="replace")) + 1


def parse(path: str, data: bytes) -> Text:
    """Parse the file at ``path``, whose content is ``data``. Raises UnreadableError."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise UnreadableError("the file contains null bytes: it is not text, or not UTF-8", line)
    try:
        text = decoded(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in strings are reported by other linters
            tree = ast.parse(data)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        raise UnreadableError(error.msg, max(line, 1), max(column, 1)) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnreadableError(f"the file cannot be decoded: {error}", line) from None
    except (UnicodeError, LookupError) as error:  # the declared encoding is not one of text
        raise UnreadableError(f"the file cannot be decoded: {error}") from None
    except (RecursionError, MemoryError):
        raise UnreadableError("the code is nested too deeply to parse", is_syntax=False) from None
    return Text(path, text, tree, text.isascii(), "yield" in text)


def decoded(data: bytes) -> str:
    """Decode a Python file as it declares. Raises SyntaxError, UnicodeDecodeError or LookupError."""
    head = data[: data.find(b"\n", data.find(b"\n") + 1) + 1 or len(data)]  # the lines that may declare it
    if head.isascii() and b"coding" not in head:
        return data.decode()
    import tokenize  # few files declare one, and loading it takes as long as parsing a small file

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)


def children(node: ast.AST) -> list[ast.AST]:
    """Return the child nodes, without operators and contexts, which have no children."""
    nodes: list[ast.AST] = []
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple([name for name in kind._fields if name not in _NO_CHILDREN])
    for name in names:
        value = getattr(node, name, None)
        if value is None:
            continue
        if type(value) is list:
            if value:
                nodes += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            nodes.append(value)
    return nodes


_NO_CHILDREN = frozenset({"ctx", "op", "ops", "id", "attr", "arg", "type_comment", "level", "conversion", "kind"})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ()}
"""The fields of a kind of node that may hold child nodes."""


def positional(arguments: ast.arguments) -> list[ast.arg]:
    """Return the parameters that can be passed by position."""
    return [*arguments.posonlyargs, *arguments.args]


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Return an iterator over a node and its descendants, in no particular order; much faster than ``ast.walk``.

    Those of a function are kept at it, because many questions are asked about each.
    """
    if type(node) in _FUNCTIONS:
        return iter(node.__dict__.get(_KEPT) or _kept(node))
    return _walk(node)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    pending = [node]
    while pending:
        current = pending.pop()
        if type(current) in _FUNCTIONS:
            yield from current.__dict__.get(_KEPT) or _kept(current)
        else:
            yield current
            pending += children(current)


def _kept(function: ast.AST) -> list[ast.AST]:
    """Return a function and its descendants, from now on without walking to them."""
    nodes = function.__dict__[_KEPT] = [function]
    for child in children(function):
        nodes.extend(_walk(child))
    return nodes


def changed(function: ast.AST) -> None:
    """Forget the descendants of a function: one of them was replaced."""
    function.__dict__.pop(_KEPT, None)


_FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef})
_KEPT = "descendants"


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the descendants of a function without those of functions and classes nested in it."""
    pending = children(function)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += children(node)


def cached(node: ast.AST, name: str, make: Callable[[], T]) -> T:
    """Return the result of ``make``, cached at a node under ``name``. It must depend on the tree alone: trees
    are reused for further projects, whose other files may have changed.
    """
    value: T
    if name in node.__dict__:
        value = node.__dict__[name]
    else:
        value = node.__dict__[name] = make()
    return value


def is_generator(node: ast.FunctionDef) -> bool:
    """Return whether a function yields."""
    return cached(node, "is_generator", lambda: any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(node)))
