"""Calls of an expression whose value is a class of torch.nn: a parameter, a variable, an attribute, a registry's entry.

The class is replaced where the file gives it to a name, if all calls of this name may have the other class. Otherwise
the call asks for the class that it is about to call. Neither builds a layer in order to drop it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Edit, Site
from convlint.rewriting.base import EditedCall, NamedEdit, is_class_call
from convlint.rewriting.call_place import Place
from convlint.rewriting.call_text import source
from convlint.rewriting.layer_class import parameters_of
from convlint.source_text import call_sites, lines
from convlint.source_text.call_sites import Function, ParsedFile, WrittenCall
from convlint.support.dataclass import dataclass, replace

_SIMPLE = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.expr_context)
_VALUE = 2  # getattr(module, name) without a default


@dataclass(frozen=True, slots=True)
class Definition:
    """The expressions for the class in the value of the name that a call calls, and what a partial passes with it."""

    path: str
    file: ParsedFile
    references: tuple[ast.expr, ...]
    passed: frozenset[str]

    def edits(self, helper: str) -> tuple[Edit, ...]:
        """The edits that put another class there."""
        sites = (lines.span(self.path, node, self.file.lines) for node in self.references)
        return tuple(NamedEdit(site, helper, helper) for site in sites)


@dataclass(frozen=True, slots=True)
class Rebinding:
    """The statement before which a variable that holds the class gets another one; its calls stay as they are."""

    place: Place
    variable: str
    condition: str
    passed: frozenset[str] = frozenset()

    def edits(self, helper: str) -> tuple[Edit, ...]:
        """The edit that inserts the assignment."""
        return (self.place.assignment(self.variable, helper, self.condition, self.variable),)


def condition(call: WrittenCall, base: str) -> str | None:
    """The condition under which a call is of this class of torch.nn: empty if always, None if no text can say it."""
    function = call.node.func
    if isinstance(function, ast.Call):
        name = _looked_up(call)
        if isinstance(name, ast.Constant):
            return "" if name.value == base else None
        return f'{source(call, name)} == "{base}"' if name is not None and _is_simple(name) else None
    name_of_class = spelled(call.file, base)
    if name_of_class is None or not holds_class(call) or _is_partial(call):
        return None
    return f"{source(call, function)} is {name_of_class}"


def other_value(edited: EditedCall, base: str) -> Definition | Rebinding | None:
    """The edit after which a call calls another class by the same name; None if other code reads the name."""
    return _definition(edited, base) or _rebinding(edited, base)


def _definition(edited: EditedCall, base: str) -> Definition | None:
    call, bound = edited.call, _Bound.of(edited.call)
    if bound is None or (bound.annotation is not None and base in ast.unparse(bound.annotation)):
        return None
    found = list(_references(call.file, bound.value, base))
    partials = frozenset(name for _, names in found for name in names)
    if not found or not partials <= set(parameters_of(base)) or (partials and call.unpacks):
        return None
    if not _may_all_change(edited, bound.loads):
        return None
    return Definition(call.site.path, call.file, tuple(node for node, _ in found), partials)


def _rebinding(edited: EditedCall, base: str) -> Rebinding | None:
    """For a variable of the function, whose value does not change from the first call on."""
    call = edited.call
    function, scope, chosen = call.node.func, call.scope, condition(call, base)
    if not isinstance(function, ast.Name) or not isinstance(scope, Function) or not chosen:
        return None
    inside = list(ast.walk(scope))
    stores = [node for node in inside if function.id in call_sites.bound_names(node)]
    loads = [n for n in inside if isinstance(n, ast.Name) and n.id == function.id and isinstance(n.ctx, ast.Load)]
    stored = [n for n in stores if isinstance(n, ast.Name)]
    annotated = any(isinstance(n, ast.arg) and n.annotation and base in ast.unparse(n.annotation) for n in stores)
    reads = [n for n in loads if not any(n in ast.walk(call.file.parents[store][0]) for store in stored)]
    if not stores or annotated or not reads or not _may_all_change(edited, reads):
        return None
    place = _before_all(call, [call.file.parents[node][0] for node in reads], stored)
    return Rebinding(place, function.id, chosen) if place else None


def shared_place(edited: EditedCall, base: str) -> Place | None:
    """The statement before which one variable can get the class for several calls of a function.

    None where the function has such calls of another expression as well, which would need another variable.
    """
    call, together = edited.call, _together(edited)
    if not isinstance(call.scope, Function):
        return None
    inside = list(ast.walk(call.scope))
    made = [n for n in inside if isinstance(n, ast.Call) and lines.span(call.site.path, n, call.file.lines) in together]
    chosen = [n for n in made if not is_class_call(replace(call, node=n), base)]
    text = ast.unparse(call.node.func)
    if len(chosen) == 1 or any(ast.unparse(node.func) != text for node in chosen):
        return None
    parts = list(ast.walk(call.node.func))
    names = {n.id for n in parts if isinstance(n, ast.Name)}
    attributes = {n.attr for n in parts if isinstance(n, ast.Attribute)}
    stored: list[ast.expr] = [n for n in inside if isinstance(n, ast.Name) and names & {*call_sites.bound_names(n)}]
    stored += [
        n for n in inside if isinstance(n, ast.Attribute) and n.attr in attributes and isinstance(n.ctx, ast.Store)
    ]
    place = _before_all(call, chosen, stored)
    return place.with_name("conv_cls", "conv_type") if place else None


def _before_all(call: WrittenCall, calls: Iterable[ast.AST], stored: Sequence[ast.expr]) -> Place | None:
    """The statement of the first of these calls, if it runs before the others and what they call has its value then."""
    made = [node for node in calls if isinstance(node, ast.Call)]
    first = min(made, key=lambda node: (node.lineno, node.col_offset))
    site = lines.span(call.site.path, first, call.file.lines, call.site.function)
    place = Place.of(WrittenCall(site, first, call.file))
    if place is None or any(node.lineno >= place.statement.lineno for node in stored):
        return None
    if not all(place.comes_before(node) for node in made) or (stored and place.is_in_loop):
        return None
    return place


def _together(edited: EditedCall) -> set[Site]:
    return {replace(site, function="") for site in (*edited.together, edited.call.site)}


def _may_all_change(edited: EditedCall, loads: Iterable[ast.AST]) -> bool:
    """Return whether all these reads of a name are calls whose layers are rewritten."""
    call = edited.call
    together = _together(edited)
    for load in loads:
        parent, field = call.file.parents.get(load, (None, ""))
        if not isinstance(parent, ast.Call) or field != "func":
            return False
        if lines.span(call.site.path, parent, call.file.lines) not in together:
            return False
    return True


def _looked_up(call: WrittenCall) -> ast.expr | None:
    """The name of the class in ``getattr(nn, name)(...)``."""
    made = call.node.func
    if not isinstance(made, ast.Call) or ast.unparse(made.func) != "getattr" or len(made.args) != _VALUE:
        return None
    return made.args[1] if call.file.qualified(made.args[0]) == "torch.nn" else None


def _is_simple(node: ast.expr) -> bool:
    """Return whether an expression may be evaluated once more without effect."""
    return all(isinstance(part, _SIMPLE) for part in ast.walk(node))


def holds_class(call: WrittenCall) -> bool:
    """Return whether a call is of a parameter, a variable, an attribute or an entry of a registry."""
    function = call.node.func
    if not isinstance(function, ast.Name):
        return not call.callee and _is_simple(function)
    bound = [node for node in call.file.nodes if function.id in call_sites.bound_names(node)]
    return bool(bound) and all(isinstance(node, ast.Name | ast.arg) for node in bound)


def _is_partial(call: WrittenCall) -> bool:
    name = ast.unparse(call.node.func)
    stores = [n for n in call.file.nodes if isinstance(n, ast.Name) and name in call_sites.bound_names(n)]
    values = [call.file.parents[node][0] for node in stores]
    made = [value.value for value in values if isinstance(value, ast.Assign) and isinstance(value.value, ast.Call)]
    return any(ast.unparse(value.func) in ("partial", "functools.partial") for value in made)


def spelled(file: ParsedFile, base: str) -> str | None:
    """The class of torch.nn as the file can write it; None if it imports neither the class nor its modules."""
    for module, rest in ((f"torch.nn.{base}", ""), ("torch.nn", f".{base}"), ("torch", f".nn.{base}")):
        for name, meaning in file.imported.items():
            if meaning == module:
                return f"{name}{rest}"
    return None


def _references(file: ParsedFile, value: ast.expr, base: str) -> Iterator[tuple[ast.expr, tuple[str, ...]]]:
    """The parts of a value that are the class, each with the arguments that a partial of it has."""
    if file.qualified(value) == f"torch.nn.{base}":
        yield value, ()
    elif isinstance(value, ast.IfExp):
        yield from _references(file, value.body, base)
        yield from _references(file, value.orelse, base)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from _references(file, part, base)
    elif isinstance(value, ast.Call) and ast.unparse(value.func) in ("partial", "functools.partial"):
        names = tuple(keyword.arg or "**" for keyword in value.keywords)
        for node in value.args if len(value.args) == 1 else ():
            yield from ((found, (*names, *more)) for found, more in _references(file, node, base))


@dataclass(frozen=True, slots=True)
class _Bound:
    """The only value that the file gives to the name or attribute that a call calls, and where it is read."""

    value: ast.expr
    annotation: ast.expr | None
    loads: tuple[ast.AST, ...]

    @classmethod
    def of(cls, call: WrittenCall) -> _Bound | None:
        function = call.node.func
        if isinstance(function, ast.Name):
            return cls._of_name(call, function.id)
        owner = function.value if isinstance(function, ast.Attribute) else None
        if isinstance(function, ast.Attribute) and isinstance(owner, ast.Name) and owner.id in ("self", "cls"):
            return cls._of_attribute(call, function.attr)
        return None

    @classmethod
    def _of_name(cls, call: WrittenCall, name: str) -> _Bound | None:
        scope: call_sites.Scope = call.scope
        while True:
            nodes = list(ast.walk(scope))
            stores = [node for node in nodes if name in call_sites.bound_names(node)]
            if stores or isinstance(scope, ast.Module):
                break
            scope = call.file.scope(scope)
        if len(stores) != 1:
            return None
        loads = [node for node in nodes if isinstance(node, ast.Name) and node.id == name and node is not stores[0]]
        given = _given(call.file, stores[0], scope)
        return cls(given[0], given[1], tuple(loads)) if given else None

    @classmethod
    def _of_attribute(cls, call: WrittenCall, name: str) -> _Bound | None:
        around: ast.AST = call.scope
        while around in call.file.parents and not isinstance(around, ast.ClassDef):
            around = call.file.parents[around][0]
        body = around.body if isinstance(around, ast.ClassDef) else []
        stores = [node for part in body for node in ast.walk(part) if name in call_sites.bound_names(node)]
        reads = [node for node in call.file.nodes if isinstance(node, ast.Attribute) and node.attr == name]
        if len(stores) != 1 or not all(isinstance(node.ctx, ast.Load) for node in reads):
            return None
        given = _given(call.file, stores[0], None)
        return cls(given[0], given[1], tuple(reads)) if given else None


def _given(file: ParsedFile, store: ast.AST, scope: call_sites.Scope | None) -> tuple[ast.expr, ast.expr | None] | None:
    """The value of an assignment or the default of a parameter, and the annotation."""
    if isinstance(store, ast.arg) and isinstance(scope, Function):
        names = scope.args
        positional = [*names.posonlyargs, *names.args]
        defaults = dict(zip(reversed(positional), reversed(names.defaults), strict=False))
        defaults.update({arg: value for arg, value in zip(names.kwonlyargs, names.kw_defaults, strict=True) if value})
        return (defaults[store], store.annotation) if store in defaults else None
    statement = file.parents[store][0] if store in file.parents else None
    if isinstance(statement, ast.Assign) and statement.targets == [store]:
        return statement.value, None
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return statement.value, statement.annotation
    return None
