"""Other ways in which a file builds its models, read from its text: calls that can be made again."""

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


def ways(path: str, text: str) -> list[str]:
    """Targets in that file: its classes called with literals, those that need no argument, and functions that
    do nothing but put arguments together and return what they call, as model factories do.

    Only the call of a class, or of such a function, is ever made again: a function that trains is not one.
    """
    tree = lines.parse(text)
    if tree is None:
        return []
    file = ParsedFile(tree, lines.split(text))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, None] = {}
    for node in file.nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in classes
        ):
            written = [*node.args, *(keyword.value for keyword in node.keywords)]
            named = all(keyword.arg is not None for keyword in node.keywords)
            if named and all(map(_is_literal, written)):
                found[f"{path}:{ast.unparse(node)}"] = None
    for name, node in classes.items():
        init = _init(node)
        if init is not None and not _needed(init.args, 1):
            found.setdefault(f"{path}:{name}()", None)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    factories = [
        f"{path}:{name}()"
        for name, node in functions.items()
        if _is_factory(node) and not _does_more(node, functions)
    ]
    return [*_spread(list(found)), *_spread(factories)]


def _spread(targets: list[str]) -> list[str]:
    """Not more than can be tried, from all parts of the file."""
    step = max(1, -(-len(targets) // _MOST))
    return targets[::step]


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _init(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next(
        (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )


def _needed(arguments: ast.arguments, own: int) -> list[str]:
    """Parameters without a default, behind the first ``own``."""
    positional = [*arguments.posonlyargs, *arguments.args]
    free = positional[own : len(positional) - len(arguments.defaults)]
    named = [
        a for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is None
    ]
    return [argument.arg for argument in (*free, *named)]


def _is_factory(node: ast.FunctionDef) -> bool:
    """Whether a function needs no argument, asks for no download, and only returns what a call gives."""
    if node.name.startswith("_") or _needed(node.args, 0):
        return False
    if any(_downloads(name, default) for name, default in _defaults(node.args)):
        return False
    statements = [part for part in ast.walk(node) if isinstance(part, ast.stmt)][1:]
    plain = all(isinstance(s, _PLAIN) or _only_prepares(s) for s in statements)
    returns = [s.value for s in statements if isinstance(s, ast.Return)]
    return plain and bool(returns) and isinstance(returns[-1], ast.Call | ast.Name)


def _does_more(node: ast.FunctionDef, functions: Mapping[str, ast.FunctionDef]) -> bool:
    """Whether a function, or one of the file that it calls, trains or saves, or downloads under no condition."""
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
    """The calls in a node, and whether each is made under no condition."""
    if isinstance(node, ast.Call):
        yield node, always
    inside = always and not isinstance(node, ast.If | ast.IfExp)
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, always=inside)


def _only_prepares(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, or calls something of the file's own or of a dict, as for ``kwargs``."""
    if not isinstance(node, ast.Expr):
        return False
    if not isinstance(node.value, ast.Call):
        return isinstance(node.value, ast.Constant)
    function = node.value.func
    if isinstance(function, ast.Attribute):
        return function.attr in ("setdefault", "update", "pop") and isinstance(
            function.value, ast.Name
        )
    return isinstance(function, ast.Name) and function.id.startswith("_")


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    yield from zip([a.arg for a in positional[first:]], arguments.defaults, strict=True)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield argument.arg, default


def _downloads(name: str, default: ast.expr) -> bool:
    """Whether a parameter such as ``pretrained`` asks for weights unless it is told otherwise."""
    asks = "pretrained" in name or "weights" in name
    return asks and not (isinstance(default, ast.Constant) and not default.value)
