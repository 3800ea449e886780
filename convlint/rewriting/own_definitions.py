"""The classes and functions of a project that a file knows: their parameters, and the convolutions that they build."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from operator import add, floordiv, mul, sub

from convlint.rewriting import imports
from convlint.rewriting.project import Project
from convlint.source_text import call_sites
from convlint.source_text.call_sites import ParsedFile, WrittenCall
from convlint.support.dataclass import dataclass

Definition = ast.ClassDef | ast.FunctionDef
_NAMES = {  # of the parameters that are not channels, as projects call them
    "kernel_size": ("kernel_size", "kernel", "ks", "k", "kernel_sz"),
    "stride": ("stride", "strides", "s"),
    "padding": ("padding", "pad", "p"),
    "dilation": ("dilation", "d"),
    "bias": ("bias", "use_bias"),
    "padding_mode": ("padding_mode",),
    "groups": ("groups", "group", "g"),
}
NAMES = {given: ours for ours, names in _NAMES.items() for given in names}

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.FloorDiv: floordiv,
}


@dataclass(frozen=True, slots=True)
class OwnDefinition:
    """A class or function by its name in a file, and its calls of a class of torch.nn for convolutions.

    ``statement`` imports something else from its file, and would have to import it too.
    """

    name: str
    node: Definition
    convs: list[ast.Call]
    statement: ast.ImportFrom | None = None


def known(call: WrittenCall, project: Project, base: str) -> Iterator[OwnDefinition]:
    """The definitions in the file of a call, and in files of the project that it imports something from.

    Without the definition that contains the call.
    """
    for node in call.file.tree.body:
        if isinstance(node, Definition) and not any(part is call.node for part in ast.walk(node)):
            yield OwnDefinition(node.name, node, _convolutions(node, call.file, base))
    taken = {node.name for node in call.file.tree.body if isinstance(node, Definition)}
    for node in call.file.tree.body:
        if (
            isinstance(node, ast.ImportFrom)
            and (path := imports.path_of(node, call.site.path, project))
            and (file := call_sites.parsed_file(path, project.texts))
        ):
            names = {alias.name: alias.asname or alias.name for alias in node.names}
            for each in file.tree.body:
                if isinstance(each, Definition):
                    convs = _convolutions(each, file, base)
                    if each.name in names or "*" in names:
                        yield OwnDefinition(names.get(each.name, each.name), each, convs)
                    elif each.name not in taken:
                        yield OwnDefinition(each.name, each, convs, node)


def _convolutions(node: Definition, file: ParsedFile, base: str) -> list[ast.Call]:
    """The calls of a class of torch.nn by any of its names in a file."""
    aliases = [alias for each in file.tree.body if isinstance(each, ast.ImportFrom) for alias in each.names]
    names = {base, *(alias.asname for alias in aliases if alias.name == base)}
    return [each for each in calls(node) if ast.unparse(each.func).rpartition(".")[2] in names]


def constructor(node: Definition) -> ast.FunctionDef | None:
    """The function whose parameters a call of a definition passes."""
    if isinstance(node, ast.FunctionDef):
        return node
    return next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)


def parameters(node: Definition) -> dict[str, ast.expr | None] | None:
    """The parameters of a class or function in their order, with their defaults; None if it has none or ``*args``."""
    init = constructor(node)
    if init is None or init.args.vararg is not None:
        return None
    written = [argument.arg for argument in (*init.args.args, *init.args.kwonlyargs)][init is not node :]
    defaults = [*init.args.defaults, *init.args.kw_defaults]
    return dict.fromkeys(written) | dict(zip(reversed(written), reversed(defaults), strict=False))


def in_terms_of_parameters(node: Definition, text: str) -> str:
    """An expression of a constructor with the local variables that it assigns once replaced by what they are."""
    init = constructor(node)
    assigned = [each for each in ast.walk(init) if isinstance(each, ast.Assign)] if init else []
    stored = [n.id for n in ast.walk(init) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)] if init else []
    values: dict[str, ast.expr] = {}
    for each in assigned:  # in their order, so that each is written in terms of those before it
        match each.targets:
            case [ast.Name(id=name)] if stored.count(name) == 1 and name not in (parameters(node) or ()):
                values[name] = substituted(each.value, values)
    return ast.unparse(substituted(ast.parse(text, mode="eval").body, values))


def substituted(expression: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """A copy of an expression with other expressions in place of some names, and whole numbers computed."""
    changed: ast.expr = _Substitution(values).visit(copy.deepcopy(expression))
    return changed


class _Substitution(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node.left, _OPERATORS.get(type(node.op)), node.right:
            case ast.Constant(value=int(first)), operator, ast.Constant(value=int(second)) if operator:
                if second or operator is not floordiv:
                    return ast.Constant(operator(first, second))
        return node


def calls(node: Definition) -> list[ast.Call]:
    """The calls in the constructor of a class, or in a function, in their order."""
    init = constructor(node)
    found = [each for each in ast.walk(init) if isinstance(each, ast.Call)] if init else []
    return sorted(found, key=lambda each: (each.lineno, each.col_offset))


def argument(call: ast.Call, name: str, position: int) -> str:
    """The text of an argument; empty if it is not passed."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}.get(name)
    if given is None and position < len(call.args):
        given = call.args[position]
    return "" if given is None else ast.unparse(given)
