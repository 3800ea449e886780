"""Drafts of a call of a convolution that becomes a call of another class."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from convlint.ir import Edit
from convlint.rewriting import call_text, class_values, conditions, layer_reads, partial_calls, unpacked_calls
from convlint.rewriting.base import Draft, EditedCall, Helper, NamedEdit, callee_edit, is_class_call, wrapping_edits
from convlint.rewriting.call_place import Place
from convlint.rewriting.class_values import Definition, Rebinding
from convlint.rewriting.conditions import Comparison
from convlint.rewriting.layer_class import LINE, OUTPUT_PADDING, PAIRS, STARRED, TUPLES, attribute
from convlint.rewriting.layer_use import STEM_CHANNELS
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import replace

Writer = Callable[[frozenset[str]], Helper]

_COMPARISONS = (
    Comparison("kernel_size", "!= 1", lambda n: n.window > 1),
    Comparison("in_channels", f"> {STEM_CHANNELS}", lambda n: n.in_channels > STEM_CHANNELS),
    Comparison("groups", "== 1", lambda n: n.groups == 1),
    Comparison("out_channels", "> 1", lambda n: n.out_channels > 1),
)
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
    chosen = "" if is_class_call(call, base) else class_values.condition(call, base)
    defined = None if is_class_call(call, base) or not all_fit else class_values.other_value(edited, base)
    passed = None if edited.through else _passed(edited, base)
    names = _read_attributes(call)
    read = frozenset(map(attribute, names & _READ))
    state = read | frozenset(map(attribute, names & layer_reads.STATE))
    for more in dict.fromkeys((frozenset(), frozenset({TUPLES}), read, read | {TUPLES}, state, state | {TUPLES})):
        if passed is None:
            break
        if defined is not None and (draft := _defined_draft(edited, defined, layer_class, passed | more)):
            yield draft
        if chosen is None:
            continue
        helper = layer_class(passed | more)
        for draft in class_drafts(edited, base, helper, all_fit=all_fit, fits=fits, chosen=chosen):
            if more == state and all_fit and (reads := layer_reads.of_child(call, child)):
                narrow = layer_class(passed | (more - _STATE))
                yield replace(draft, edits=(*draft.edits, *reads), helpers=(narrow,))
            yield draft
    if chosen is None and all_fit:
        yield from partial_calls.drafts(edited, base, layer_class)
    used = _used(edited)
    for more in dict.fromkeys((frozenset(), read, state)):
        helper = layer_class(used | more | {TUPLES})
        function = converter(used)
        yield Draft(wrapping_edits(call, function.name), (helper, function))


def _defined_draft(
    edited: EditedCall, defined: Definition | Rebinding, layer_class: Writer, parameters: frozenset[str]
) -> Draft | None:
    """The draft that gives another class to the name that is called; None where the call passes ``groups``."""
    if edited.call.argument("groups", call_text.GROUPS) is not None:
        return None
    helper = layer_class(parameters | defined.passed)
    return Draft(defined.edits(helper.name), (helper,))


def _passed(edited: EditedCall, base: str) -> frozenset[str] | None:
    """The parameters that a call passes; None where that cannot be known.

    Of ``**options`` those are known that differ from the defaults in the layers that the call builds, and those of a
    dict that the file writes.
    """
    call = edited.call
    positions = call_text.positions_of(base)
    names: set[str] = set()
    if any(isinstance(argument, ast.Starred) for argument in call.node.args):
        if unpacked_calls.starred(call) is None:
            return None
        names = {STARRED, *_used(edited)}  # and all that come before them
        last = max((positions.index(name) for name in names & {*positions[: call_text.GROUPS]}), default=0)
        names |= {*positions[: last + 1]}
    else:
        names |= {*positions[: len(call.node.args)]}
    for keyword in call.node.keywords:
        names |= {keyword.arg} if keyword.arg else {*_used(edited), *_keys(call, keyword.value)} & {*positions}
    names.discard("groups")
    if not names <= {*positions, STARRED}:
        return None
    sizes = [*call.node.args[2:], *(keyword.value for keyword in call.node.keywords)]
    return frozenset({*names, PAIRS} if any(map(_is_no_number, sizes)) else names)


def _keys(call: WrittenCall, unpacked: ast.expr) -> Iterator[str]:
    """The keys of a dict that is unpacked, as the file writes them: that of ``device`` is seen in no layer."""
    values = [unpacked]
    if isinstance(unpacked, ast.Name):
        values = [
            node.value
            for node in call.file.nodes
            if isinstance(node, ast.Assign)
            and any(isinstance(each, ast.Name) and each.id == unpacked.id for each in node.targets)
        ]
    for value in values:
        if isinstance(value, ast.Dict):
            yield from (key.value for key in value.keys if isinstance(key, ast.Constant) and type(key.value) is str)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            yield from (keyword.arg for keyword in value.keywords if keyword.arg)


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


def class_drafts(
    edited: EditedCall, base: str, helper: Helper, *, all_fit: bool, fits: Sequence[bool], chosen: str = ""
) -> Iterator[Draft]:
    """Drafts that call the class of a helper, for all layers of a call or under a condition.

    ``chosen`` is the condition under which the call is of the class that is replaced.
    """
    call = edited.call
    groups = call.argument("groups", call_text.GROUPS)
    fixed = groups is None or isinstance(groups, ast.Constant)
    if all_fit and fixed and not chosen:
        edits = (
            callee_edit(call, helper.name),
            *call_text.without_groups(call),
            *call_text.in_shorter_lines(call, helper.name),
            *call_text.realigned(call, helper.name),
        )
        yield Draft(edits, (helper,))
        return
    test = None if all_fit and fixed else conditions.separating(edited, fits, base, _COMPARISONS)
    if test is None and not (all_fit and fixed):
        return
    condition = " and ".join(filter(None, (chosen, test.text if test else "")))
    passed_on = unpacked_calls.PassedOn.of(call, base) if test and test.named else None
    named = passed_on.edits(test.named) if test and passed_on else ()
    place = Place.of(call)
    if fixed:
        if condition == chosen and (shared := class_values.shared_place(edited, base)) is not None:
            edits = (*shared.chosen_class(helper.name, condition, call), *call_text.without_groups(call))
            yield Draft(edits, (helper,))
        if place is not None and place.name:
            chosen_class = place.chosen_class(helper.name, condition)
            yield Draft((*chosen_class, *named, *call_text.without_groups(call)), (helper,))
        else:
            callee = _conditional_callee(call, helper.name, condition)
            yield Draft((*callee, *named, *call_text.without_groups(call)), (helper,))
    elif not named:
        yield Draft((_chosen_call(call, place, helper.name, condition),), (helper,))


def draft_of_some(
    edited: EditedCall, base: str, helper: Helper, more: Sequence[str], fits: Sequence[bool]
) -> Iterator[Draft]:
    """The draft that calls the class of a helper with ``more`` arguments, for those layers of a call that fit."""
    test = conditions.separating(edited, fits, base, _COMPARISONS)
    if test is not None and not test.named:
        edit = _chosen_call(edited.call, Place.of(edited.call), helper.name, test.text, more)
        yield Draft((edit,), (helper,))


def _chosen_call(call: WrittenCall, place: Place | None, name: str, condition: str, more: Sequence[str] = ()) -> Edit:
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
