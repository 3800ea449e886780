"""Other constructor calls in a file, read from its text, that can be executed again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from convlint.source_text import lines
from convlint.source_text.call_sites import ParsedFile

_PLAIN = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.If, ast.Raise, ast.Assert)
_MOST = 64
_TRAINS = re.compile(r"(^|[._])(backward|step|fit|train|save)(_|$)")
_DOWNLOADS = re.compile(r"(^|[._])(download\w*|urlopen|urlretrieve|load_url|from_url|hub)([_.]|$)")


def other_calls(path: str, text: str) -> list[str]:
    """Targets in a file: calls of its classes with literals, classes without required arguments, and model factories.

    A model factory is a function that only prepares arguments and returns the result of a call. A function that
    trains is not one, and is never called.
    """
    tree = lines.parse(text)
    if tree is None:
        return []
    file = ParsedFile(tree, lines.split(text))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, None] = {}
    for node in file.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes:
            written = [*node.args, *(keyword.value for keyword in node.keywords)]
            named = all(keyword.arg is not None for keyword in node.keywords)
            if named and all(map(_is_literal, written)):
                found[f"{path}:{ast.unparse(node)}"] = None
    for name, node in classes.items():
        init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is not None and not _needed(init.args, 1):
            found.setdefault(f"{path}:{name}()", None)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    factories = [
        f"{path}:{name}()"
        for name, node in functions.items()
        if _is_factory(node) and not _has_side_effects(node, functions)
    ]
    return [*_spread(list(found)), *_spread(factories)]


def _spread(targets: list[str]) -> list[str]:
    """At most ``_MOST`` targets, from all parts of the file."""
    return targets[:: max(1, -(-len(targets) // _MOST))]


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _needed(arguments: ast.arguments, own: int) -> list[str]:
    """Parameters without a default, after the first ``own``."""
    positional = [*arguments.posonlyargs, *arguments.args]
    free = positional[own : len(positional) - len(arguments.defaults)]
    named = [a for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is None]
    return [argument.arg for argument in (*free, *named)]


def _is_factory(node: ast.FunctionDef) -> bool:
    """Return whether a function needs no argument, downloads nothing by default, and only returns a call."""
    if node.name.startswith("_") or _needed(node.args, 0):
        return False
    if any(_downloads(name, default) for name, default in _defaults(node.args)):
        return False
    statements = [part for part in ast.walk(node) if isinstance(part, ast.stmt)][1:]
    plain = all(isinstance(s, _PLAIN) or _only_prepares(s) for s in statements)
    returns = [s.value for s in statements if isinstance(s, ast.Return)]
    return plain and bool(returns) and isinstance(returns[-1], ast.Call | ast.Name)


def _has_side_effects(node: ast.FunctionDef, functions: Mapping[str, ast.FunctionDef]) -> bool:
    """Return whether a function, or one that it calls in the file, trains, saves, or downloads unconditionally."""
    todo, seen = [node], {node.name}
    while todo:
        for call, always in _calls(todo.pop(), always=True):
            name = ast.unparse(call.func)
            if _TRAINS.search(name) or (always and _DOWNLOADS.search(name)):
                return True
            if name in functions and name not in seen:
                seen.add(name)
                todo.append(functions[name])
    return False


def _calls(node: ast.AST, *, always: bool) -> Iterator[tuple[ast.Call, bool]]:
    """The calls in a node, each with whether it is unconditional."""
    if isinstance(node, ast.Call):
        yield node, always
    inside = always and not isinstance(node, ast.If | ast.IfExp)
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, always=inside)


def _only_prepares(node: ast.stmt) -> bool:
    """Return whether a statement is a docstring, or calls a private function or a method of a dict."""
    if not isinstance(node, ast.Expr):
        return False
    if not isinstance(node.value, ast.Call):
        return isinstance(node.value, ast.Constant)
    function = node.value.func
    if isinstance(function, ast.Attribute):
        return function.attr in ("setdefault", "update", "pop") and isinstance(function.value, ast.Name)
    return isinstance(function, ast.Name) and function.id.startswith("_")


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    yield from zip([a.arg for a in positional[first:]], arguments.defaults, strict=True)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield argument.arg, default


def _downloads(name: str, default: ast.expr) -> bool:
    """Return whether a parameter such as ``pretrained`` requests weights by default."""
    is_weights = "pretrained" in name or "weights" in name
    return is_weights and not (isinstance(default, ast.Constant) and not default.value)
