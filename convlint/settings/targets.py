"""Parse targets: files, folders, models with constructor arguments, and patterns of models.

Nothing is imported or evaluated here. Constructor arguments travel to the worker as source text, because JSON has no
tuples.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from typing import Any

from convlint.settings.data_files import DataError
from convlint.settings.misread_targets import is_address, misread
from convlint.settings.target_arguments import WAYS, is_argument, no_name, resolve, with_files
from convlint.support.dataclass import dataclass
from convlint.support.errors import NOTEBOOK, UsageError, not_python, notebook_advice, without_quotes


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed target; ``text`` is its original form.

    Exactly one of ``path`` and ``module`` is set. Without ``name`` it is a file or directory. ``args`` and ``kwargs``
    hold the source text of arguments, see ``target_arguments``.
    """

    text: str
    path: str | None = None
    module: str | None = None
    name: str | None = None
    args: tuple[str, ...] = ()
    kwargs: tuple[tuple[str, str], ...] = ()

    def arguments(self, name: Callable[[str], Any] = no_name) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the constructor arguments; ``name`` gives the values of names of the module."""
        named = {key: resolve(value, name) for key, value in self.kwargs}
        return tuple(resolve(value, name) for value in self.args), named

    @property
    def where(self) -> str:
        return self.path or self.module or ""


@dataclass(frozen=True, slots=True)
class TargetPattern:
    """A job that lists the models of a module or file whose names match a pattern: ``timm:resnet*``.

    ``call`` is the text of the arguments in parentheses, with which each of them is built.
    """

    text: str
    where: Target
    pattern: str
    call: str = ""
    timeout: float = 120.0
    max_memory: int | None = None
    at_once: int = 1
    root: str = "."
    folder: str | None = None


_GLOB = re.compile(r"(?P<where>.+?):(?P<pattern>[^():]*[*?\[][^()]*)(?P<call>\(.*)?", re.DOTALL)


def parse_pattern(text: str, root: str = ".") -> TargetPattern | None:
    """Parse a pattern of models; None if ``text`` is not a pattern. Raises UsageError.

    >>> parse_pattern("timm:resnet*").pattern
    'resnet*'
    """
    match = _GLOB.fullmatch(text)
    if match is None:
        return None
    where, pattern, call = match.group("where", "pattern", "call")
    return TargetPattern(text, _placed(text, where, pattern, call), pattern, (call or "()")[1:-1], root=root)


_TARGET = re.compile(r"(?P<where>.+?):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(?P<call>\(.*)?", re.DOTALL)
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def parse_target(text: str) -> Target:
    """Parse a target. Raises UsageError.

    >>> parse_target("net.py:Net(64, groups=8)")
    Target(text='net.py:Net(64, groups=8)', path='net.py', module=None, name='Net', args=('64',), \
kwargs=(('groups', '8'),))
    """
    if unquoted := without_quotes(text):
        raise UsageError(f"{text}: write the target without quotes, or with double ones on Windows: {unquoted}")
    match = _TARGET.fullmatch(text)
    where, name, call = match.group("where", "name", "call") if match else (text, None, None)
    return _placed(text, where, name, call)


def _placed(text: str, where: str, name: str | None, call: str | None) -> Target:
    """Build a target from its parts; ``call`` begins with the parenthesis. Raises UsageError."""
    if not where.strip():
        raise UsageError("the target is empty; write path.py:Name, package.module:Name or a path")
    if is_address(where):
        raise UsageError(misread(text, is_path=_is_path))
    if where.endswith(NOTEBOOK):
        raise UsageError(f"{where}: {notebook_advice(where)}")
    if os.path.isfile(where) and (advice := not_python(where)):
        raise UsageError(advice)
    if _is_path(where) and not where.endswith(":"):
        place = Target(text, path=where, name=name)
    elif name and _MODULE.fullmatch(where):
        place = Target(text, module=where, name=name)
    else:
        raise UsageError(misread(text, is_path=_is_path))
    if call is None:
        return place
    args, kwargs = parse_arguments(call[1:-1] if call.endswith(")") else call[1:], str(name), text)
    if not call.endswith(")"):
        raise UsageError(f"{text}: the parenthesis after {name} is not closed")
    return Target(text, place.path, place.module, name, args, kwargs)


def _is_path(where: str) -> bool:
    return where.endswith(".py") or os.sep in where or "/" in where or "\\" in where or os.path.isdir(where)


def parse_arguments(text: str, callee: str, context: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Positional and keyword arguments of a call, as source text.

    Raises UsageError that names the argument that cannot be passed.
    """
    try:
        call = ast.parse(f"f({with_files(text)}\n)", mode="eval").body
    except DataError as error:
        raise UsageError(f"{context}: {error}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise UsageError(f"{context}: the arguments of {callee} do not parse: {reason}") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise UsageError(f"{context}: expected one call with arguments after {callee}")
    args = [
        _literal(node, f"argument {position} of {callee}", context) for position, node in enumerate(call.args, start=1)
    ]
    kwargs: dict[str, str] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            value = ast.unparse(keyword.value)
            raise UsageError(f"{context}: `**{value}` is not a literal; write each name=value")
        if keyword.arg in kwargs:
            raise UsageError(f"{context}: argument {keyword.arg} of {callee} is given twice")
        kwargs[keyword.arg] = _literal(keyword.value, f"argument {keyword.arg} of {callee}", context)
    return tuple(args), tuple(kwargs.items())


def _literal(node: ast.expr, which: str, context: str) -> str:
    text = "..."
    try:
        text = ast.unparse(node)
        is_passed = is_argument(node)
    except (ValueError, RecursionError, MemoryError):
        is_passed = False
    if not is_passed:
        raise UsageError(f"{context}: {which} is `{text}`, which is not a literal or a name; {WAYS}")
    return text
