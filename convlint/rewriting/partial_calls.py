"""Calls of a ``functools.partial`` of a convolution: the new class is called with the arguments of both."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from convlint.rewriting.base import Draft, EditedCall, Helper, callee_edit
from convlint.rewriting.layer_class import parameters_of
from convlint.source_text.call_sites import WrittenCall


def drafts(edited: EditedCall, base: str, layer_class: Callable[[frozenset[str]], Helper]) -> Iterator[Draft]:
    """The draft for a call of a name that the file gives to one partial of the class, and of which all is known."""
    call, names = edited.call, list(parameters_of(base))
    made = _partial(call, base)
    if made is None or call.unpacks or edited.through or len(call.node.args) > len(names[:6]):
        return
    own = {*names[: len(call.node.args)], *(str(keyword.arg) for keyword in call.node.keywords)}
    rest = [keyword for keyword in made.keywords if keyword.arg not in own]
    passed = own | {str(keyword.arg) for keyword in rest}
    if not passed <= set(names):
        return
    helper = layer_class(frozenset(passed))
    edits = [callee_edit(call, helper.name)]
    if rest:
        edits.append(call.adding(", ".join(f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in rest)))
    yield Draft(tuple(edits), (helper,))


def _partial(call: WrittenCall, base: str) -> ast.Call | None:
    """The partial that a call calls; None unless its arguments are constants by name."""
    function = call.node.func
    assigned = [each for each in call.file.tree.body if isinstance(each, ast.Assign)]
    values = [each.value for each in assigned if any(ast.unparse(t) == ast.unparse(function) for t in each.targets)]
    if not isinstance(function, ast.Name) or len(values) != 1 or not isinstance(values[0], ast.Call):
        return None
    made = values[0]
    is_partial = ast.unparse(made.func) in ("partial", "functools.partial") and len(made.args) == 1
    constant = all(keyword.arg and isinstance(keyword.value, ast.Constant) for keyword in made.keywords)
    return made if is_partial and constant and ast.unparse(made.args[0]).rpartition(".")[2] == base else None
