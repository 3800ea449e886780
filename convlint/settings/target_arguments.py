"""Arguments of targets: literals, names and calls of the target's own module, and configuration files.

They are parsed and resolved, never evaluated as text; calls happen where the model is built. ``@cfg.yaml:model`` is
read when it is parsed: it becomes ``__mapping__({...})``, with the content as a literal.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import Any

from convlint.settings.data_files import SUFFIXES, DataError, part_of, read_data

MAPPING = "__mapping__"
_NAN = "__nan__"
WAYS = (
    "pass a literal, a name or call of the module such as `Config(width=8)`, or a file such as `@cfg.yaml:model`, or "
    "name a function of your own that returns the model"
)
_FILE = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|@([^\s,()'"]+)""")


class Mapping(dict[str, Any]):
    """The content of a configuration file: a dict whose items are attributes, too."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__({key: mapping(value) for key, value in content.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}; it has {', '.join(map(str, self))}") from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


def mapping(value: Any) -> Any:
    """Return a value with every dict in it as a ``Mapping``."""
    if isinstance(value, dict):
        return Mapping(value)
    return [mapping(item) for item in value] if isinstance(value, list) else value


def with_files(text: str) -> str:
    """Replace each ``@file`` in the text of arguments with its content. Raises DataError."""
    return _FILE.sub(lambda match: match[1] or _content(match[2]), text) if "@" in text else text


def _content(reference: str) -> str:
    path, keys = reference, ""
    if not path.endswith(SUFFIXES):
        path, _, keys = reference.rpartition(":")
    if not path.endswith(SUFFIXES):
        raise DataError(f"`@{reference}` does not name a file that ends in {', '.join(SUFFIXES)}")
    try:
        return f"{MAPPING}({_text(part_of(read_data(path), keys))})"
    except DataError as error:
        raise DataError(f"`@{reference}`: {error}" if keys else str(error)) from None


def _text(value: Any) -> str:
    """Return the text of a value of a file; dates, which have no literals, become strings."""
    if isinstance(value, dict):
        return f"{{{', '.join([f'{_text(key)}: {_text(item)}' for key, item in value.items()])}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return _NAN if math.isnan(value) else "1e999" if value > 0 else "-1e999"
    return repr(value.isoformat() if hasattr(value, "isoformat") else value)


def is_argument(node: ast.expr) -> bool:
    """Return whether an expression can be passed."""
    match node:
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
            return all(map(is_argument, _parts(node)))
    return _is_reference(node) or _is_literal(node)


def _is_reference(node: ast.expr) -> bool:
    """Return whether an expression begins with a name of the module: ``Config(width=8).small``."""
    match node:
        case ast.Name(id=name):
            return name in (MAPPING, _NAN) or not name.startswith("__")
        case ast.Attribute(value=value, attr=name):
            return _is_reference(value) and not name.startswith("__")
        case ast.Subscript(value=value, slice=key):
            return _is_reference(value) and _is_literal(key)
        case ast.Call(func=func, args=args, keywords=keywords):
            named = all(keyword.arg is not None for keyword in keywords)
            passed = (*args, *[keyword.value for keyword in keywords])
            return named and _is_reference(func) and all(map(is_argument, passed))
    return False


def _parts(node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> list[ast.expr]:
    if isinstance(node, ast.Dict):
        return [part for part in (*node.keys, *node.values) if part is not None]
    return node.elts


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def no_name(name: str) -> Any:
    """Refuse a name: there is no module."""
    raise LookupError(name)


def resolve(text: str, name: Callable[[str], Any]) -> Any:
    """Return the value of the text of an argument; ``name`` gives the value of a name of the module."""
    return _resolved(ast.parse(text, mode="eval").body, name)


def _resolved(node: ast.expr, name: Callable[[str], Any]) -> Any:
    match node:
        case ast.Name(id="__mapping__"):
            return mapping
        case ast.Name(id="__nan__"):
            return math.nan
        case ast.Name(id=own):
            return name(own)
        case ast.Attribute(value=value, attr=attribute):
            return getattr(_resolved(value, name), attribute)
        case ast.Subscript(value=value, slice=key):
            return _resolved(value, name)[ast.literal_eval(key)]
        case ast.Call(func=func, args=args, keywords=keywords):
            given = [_resolved(argument, name) for argument in args]
            named = {str(keyword.arg): _resolved(keyword.value, name) for keyword in keywords}
            return _resolved(func, name)(*given, **named)
        case _ if _is_literal(node):
            return ast.literal_eval(node)
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {_resolved(key, name): _resolved(value, name) for key, value in pairs if key is not None}
        case ast.Tuple() | ast.List() | ast.Set():
            kind = {ast.Tuple: tuple, ast.List: list, ast.Set: set}[type(node)]
            return kind([_resolved(part, name) for part in node.elts])
    raise ValueError(f"`{ast.unparse(node)}` cannot be passed")
