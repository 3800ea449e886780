"""Drafts of a call of a convolution that becomes a call of another class."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from convlint.ir import Edit, Site
from convlint.rewriting import call_text, layer_reads, partial_calls
from convlint.rewriting.base import Draft, EditedCall, Helper, NamedEdit, callee_edit, is_class_call, wrapping_edits
from convlint.rewriting.layer_class import LINE, OUTPUT_PADDING, PAIRS, REQUIRED, TUPLES, attribute
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass, replace

Writer = Callable[[frozenset[str]], Helper]

_STATE = frozenset(map(attribute, layer_reads.STATE))
_READ = frozenset({"in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "padding_mode"})


def drafts(
    edited: EditedCall,
    base: str,
    layer_class: Writer,
    converter: Writer,
    *,
    all_fit: bool,
    fits: Sequence[bool],
    child: str = "",
) -> Iterator[Draft]:
    """Drafts that call another class, for all layers of the call or under a condition, or else convert its result.

    ``layer_class`` and ``converter`` write the helpers for some parameters; ``fits`` says which of the other layers
    of the call may be rewritten too. Later drafts serve what the first ones do not: sizes that are tuples, and code
    that reads numbers of the layer, or its weight: that of ``child`` afterwards.
    """
    call = edited.call
    passed = _passed(edited) if not edited.through and is_class_call(call, base) else None
    names = _read_attributes(call)
    read = frozenset(map(attribute, names & _READ))
    state = read | frozenset(map(attribute, names & layer_reads.STATE))
    for more in dict.fromkeys((frozenset(), frozenset({TUPLES}), read, read | {TUPLES}, state, state | {TUPLES})):
        if passed is None:
            break
        helper = layer_class(passed | more)
        for draft in class_drafts(edited, helper, all_fit=all_fit, fits=fits):
            if more == state and all_fit and (reads := layer_reads.of_child(call, child)):
                narrow = layer_class(passed | (more - _STATE))
                yield replace(draft, edits=(*draft.edits, *reads), helpers=(narrow,))
            yield draft
    if passed is None and all_fit:
        yield from partial_calls.drafts(edited, base, layer_class)
    used = _used(edited)
    for more in dict.fromkeys((frozenset(), read, state)):
        helper = layer_class(used | more | {TUPLES})
        function = converter(used)
        yield Draft(wrapping_edits(call, function.name), (helper, function))


def _passed(edited: EditedCall) -> frozenset[str] | None:
    """The parameters that a call passes; None where that cannot be known.

    Of ``**options`` those are known that differ from the defaults in the layers that the call builds.
    """
    call = edited.call
    if any(isinstance(argument, ast.Starred) for argument in call.node.args):
        return None
    names = set(call_text.positions_of(call)[: len(call.node.args)])
    for keyword in call.node.keywords:
        names |= {keyword.arg} if keyword.arg else _used(edited)
    names.discard("groups")
    if not names <= set(call_text.positions_of(call)):
        return None
    sizes = [*call.node.args[2:], *(keyword.value for keyword in call.node.keywords)]
    return frozenset({*names, PAIRS} if any(map(_is_no_number, sizes)) else names)


def _is_no_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Tuple | ast.List) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _used(edited: EditedCall) -> frozenset[str]:
    """The parameters whose values differ from the defaults in some layer of the call."""
    layers = [*(use.arguments for use in edited.uses), *edited.others]
    neutral = {"stride": 1, "padding": 0, OUTPUT_PADDING: 0, "dilation": 1}
    used = {n for n, value in neutral.items() if any(set(getattr(each, n)) - {value} for each in layers)}
    if any(each.padding_mode != "zeros" for each in layers):
        used.add("padding_mode")
    names = [*neutral, "padding_mode"]
    if "Transpose" not in edited.call.callee:
        names.remove(OUTPUT_PADDING)
    return frozenset({*used, "bias"} if layers else {*names, "bias"})


def _read_attributes(call: WrittenCall) -> set[str]:
    """The attributes that the file reads from anything but ``self``."""
    return {
        node.attr
        for node in call.file.nodes
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }


# --- the class instead of the class of torch.nn


def class_drafts(edited: EditedCall, helper: Helper, *, all_fit: bool, fits: Sequence[bool]) -> Iterator[Draft]:
    """Drafts that call the class of a helper, for all layers of a call or under a condition."""
    call = edited.call
    groups = call.argument("groups", call_text.GROUPS)
    if all_fit and (groups is None or isinstance(groups, ast.Constant)):
        edits = (
            callee_edit(call, helper.name),
            *call_text.without_groups(call),
            *call_text.in_shorter_lines(call, helper.name),
        )
        yield Draft(edits, (helper,))
        return
    condition = _condition(edited, fits)
    if condition is None:
        return
    place = _Place.of(call)
    if groups is None or isinstance(groups, ast.Constant):
        if place is not None and place.name:
            yield Draft((*place.chosen_class(helper.name, condition), *call_text.without_groups(call)), (helper,))
        else:
            yield Draft(
                (*_conditional_callee(call, helper.name, condition), *call_text.without_groups(call)), (helper,)
            )
    else:
        yield Draft((_chosen_call(call, place, helper.name, condition),), (helper,))


def draft_of_some(edited: EditedCall, helper: Helper, more: Sequence[str], fits: Sequence[bool]) -> Iterator[Draft]:
    """The draft that calls the class of a helper with ``more`` arguments, for those layers of a call that fit."""
    condition = _condition(edited, fits)
    if condition is not None:
        edit = _chosen_call(edited.call, _Place.of(edited.call), helper.name, condition, more)
        yield Draft((edit,), (helper,))


def _chosen_call(call: WrittenCall, place: _Place | None, name: str, condition: str, more: Sequence[str] = ()) -> Edit:
    """The call of another class if the condition holds, else as it is: two statements, or an expression."""
    if place is not None and place.is_value:
        return place.branches(name, condition, more)
    text = ast.get_source_segment("".join(call.file.lines), call.node) or ""
    before = call.file.lines[call.node.lineno - 1][: call.node.col_offset]
    enclosing = call_text.needs_parentheses(call)
    new = f"{call_text.other_class(call, name, more=more)} if {condition} else {text}"
    if not before.strip() and len(before + new) > LINE and not enclosing:
        other = call_text.other_class(call, name, before, before, more)
        new = f"{other}\n{before}if {condition}\n{before}else {text}"  # the line begins within brackets
    return NamedEdit(call.site, f"({new})" if enclosing else new, name, int(enclosing))


def _conditional_callee(call: WrittenCall, name: str, condition: str) -> tuple[Edit, ...]:
    edit = call.replacing(call.node.func, f"({name} if {condition} else {call_text.source(call, call.node.func)})")
    return (NamedEdit(edit.site, edit.text, name, 1),)


# --- the condition under which a layer is rewritten


def _condition(edited: EditedCall, fits: Sequence[bool]) -> str | None:
    """The shortest condition on arguments of the call that holds for the layers to rewrite and for no misfit.

    The class has no groups, so it is always a condition that a ``groups`` argument is 1.
    """
    misfits = [others for others, fit in zip(edited.others, fits, strict=True) if not fit]
    uses = [use.arguments for use in edited.uses]
    tests = [test for test in _tests(edited.call) if all(test[1](n) for n in uses)]
    groups = edited.call.argument("groups", call_text.GROUPS)
    required = (
        "" if groups is None or isinstance(groups, ast.Constant) else f"{call_text.source(edited.call, groups)} == 1"
    )
    for count in range(1, len(tests) + 1):
        for chosen in combinations(tests, count):
            if required and required not in (text for text, _ in chosen):
                continue
            if not any(all(holds(n) for _, holds in chosen) for n in misfits):
                return " and ".join(text for text, _ in chosen)
    return None


def _tests(call: WrittenCall) -> Iterator[tuple[str, Callable[[LayerArguments], bool]]]:
    possible: tuple[tuple[str, int, str, Callable[[LayerArguments], bool]], ...] = (
        ("kernel_size", 2, "!= 1", lambda n: n.window > 1),
        ("in_channels", 0, f"> {STEM_CHANNELS}", lambda n: n.in_channels > STEM_CHANNELS),
        ("groups", call_text.GROUPS, "== 1", lambda n: n.groups == 1),
        ("out_channels", 1, "> 1", lambda n: n.out_channels > 1),
    )
    for name, position, comparison, holds in possible:
        node = call.argument(name, position)
        if node is not None and _is_number(node):
            yield f"{call_text.source(call, node)} {comparison}", holds
        elif node is None and (options := _unpacked(call)):
            # A required argument that is not written is among those that are unpacked.
            item = f'["{name}"]' if name in REQUIRED else f'.get("{name}", 1)'
            yield f"{options}{item} {comparison}", holds


def _unpacked(call: WrittenCall) -> str:
    """The dictionary from which a call has the arguments that are not written; empty if that cannot be known."""
    given = [keyword.value for keyword in call.node.keywords if keyword.arg is None]
    known = len(given) == 1 and isinstance(given[0], ast.Name | ast.Attribute)
    starred = any(isinstance(argument, ast.Starred) for argument in call.node.args)
    return call_text.source(call, given[0]) if known and not starred else ""


def _is_number(node: ast.expr) -> bool:
    """Return whether an argument may differ from call to call, and is evaluated again without effect."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.expr) and not isinstance(part, ast.Constant)]
    return bool(names) and all(isinstance(n, ast.Name | ast.Attribute | ast.BinOp | ast.Subscript) for n in names)


# --- the statement around a call


@dataclass(frozen=True, slots=True)
class _Place:
    """The statement in which a call stands, which begins its line in a function."""

    call: WrittenCall
    statement: ast.stmt
    indent: str
    name: str  # of a new variable; "" where names of the call are bound within the statement

    @classmethod
    def of(cls, call: WrittenCall) -> _Place | None:
        node: ast.AST = call.node
        inner = False
        while not isinstance(node, ast.stmt):
            if node not in call.file.parents:
                return None
            node, _ = call.file.parents[node]
            comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda
            inner = inner or isinstance(node, comprehension | ast.NamedExpr)
        indent = call.file.lines[node.lineno - 1][: node.col_offset]
        function = call.scope
        simple = isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr | ast.AugAssign)
        if not simple or indent.strip() or not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        if ";" in "".join(call.file.lines[node.lineno - 1 : node.end_lineno]):
            return None
        taken = {name for part in ast.walk(function) for name in call_sites.bound_names(part)}
        taken |= {part.id for part in ast.walk(function) if isinstance(part, ast.Name)}
        earlier = [part for part in _calls_in(node) if _before(part, call.node)]
        names = [f"{name}{len(earlier) + 1 if earlier else ''}" for name in ("conv", "conv_class", "layer_class")]
        free = next((name for name in names if name not in taken), "")
        return cls(call, node, indent, "" if inner else free)

    @property
    def is_value(self) -> bool:
        """Return whether the statement assigns or returns the result of the call."""
        if not isinstance(self.statement, ast.Assign | ast.Return) or self.statement.value is not self.call.node:
            return False
        return self.statement.end_col_offset == self.call.node.end_col_offset  # and not in parentheses

    def chosen_class(self, helper: str, condition: str) -> tuple[Edit, Edit]:
        """A variable with the class, before the statement, and the call of it."""
        line = self.statement.lineno
        site = Site(self.call.site.path, line, 1, line, 1, self.call.site.function)
        start = f"{self.indent}{self.name} = "
        callee = self.call.replacing(self.call.node.func, self.name)
        dense = call_text.source(self.call, self.call.node.func)
        text = f"{start}{helper} if {condition} else {dense}\n"
        return NamedEdit(site, text, helper, len(start)), callee

    def branches(self, helper: str, condition: str, more: Sequence[str] = ()) -> Edit:
        """The statement with the other class if the condition holds, else as it is."""
        source = "".join(self.call.file.lines)
        old = ast.get_source_segment(source, self.statement) or ""
        call = ast.get_source_segment(source, self.call.node) or ""
        head = old[: len(old) - len(call)]
        module = call_text.source(self.call, self.call.node.func).rpartition(".")[0]
        alone = isinstance(self.statement, ast.Assign) and len(self.statement.targets) == 1
        if alone and module and call_text.is_annotated(self.call.file.tree):
            head = head.replace(" =", f": {module}.Module =", 1)  # the branches assign objects of two classes
        step = call_text.step_of(self.indent)
        new = f"if {condition}:\n{self.indent}{step}{head}"
        site = self.call.site
        line, column = self.statement.lineno, len(self.indent) + 1
        span = Site(site.path, line, column, site.end_line, site.end_column, site.function)
        start, inner = len(new), self.indent + step
        new += call_text.other_class(self.call, helper, inner + head, inner, more)
        if isinstance(self.statement, ast.Return):
            text = f"{new}\n{self.indent}{old}"
        else:
            moved = old.replace("\n", f"\n{step}")
            text = f"{new}\n{self.indent}else:\n{inner}{moved}"
        return NamedEdit(span, text, helper, start)


def _calls_in(statement: ast.stmt) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _before(first: ast.Call, second: ast.Call) -> bool:
    """Return whether a call to the same class stands before another one, and not around it."""
    same = ast.unparse(first.func) == ast.unparse(second.func)
    return same and (first.lineno, first.col_offset) < (second.lineno, second.col_offset)
