"""Classes and functions of a project that a depthwise separable convolution can be built of, so that none is added.

They are separable already, or a block of convolution, norm and activation with groups. Their text only says which are
worth a run: that shows what they compute, and with how many parameters.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from convlint.ir import Edit, IntermediateLayers
from convlint.rewriting import call_text, conv_calls
from convlint.rewriting.base import Draft, EditedCall, Helper, is_class_call
from convlint.rewriting.between import FORMS
from convlint.rewriting.layer_class import DEFAULTS, WINDOW
from convlint.rewriting.own_definitions import (
    NAMES,
    OwnDefinition,
    argument,
    calls,
    in_terms_of_parameters,
    known,
    parameters,
    substituted,
)
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass

_CHANNELS = 2  # parameters before these


@dataclass(frozen=True, slots=True)
class OwnClass:
    """A class that a file defines or imports: its name there, and its parameters in order, named as in torch.nn.

    ``fixed`` are the window of its first convolution where no parameter gives it, in terms of the parameters that are
    ``written``, which have ``defaults``. ``without_bias``: it has no bias unless one is passed.
    """

    name: str
    parameters: tuple[str, ...]
    written: tuple[str, ...]  # the same, named as in the class
    fixed: Mapping[str, str]
    defaults: Mapping[str, ast.expr | None]
    without_bias: bool = False

    def built_with(self, given: Mapping[str, ast.expr]) -> dict[str, str]:
        """The text of ``fixed`` in a call with these arguments, named as in torch.nn."""
        values = {name: default for name, default in self.defaults.items() if default is not None}
        values |= {w: given[name] for name, w in zip(self.parameters, self.written, strict=True) if name in given}
        return {name: _text(ast.parse(text, mode="eval").body, values) for name, text in self.fixed.items()}


def drafts(
    edited: EditedCall, base: str, between: IntermediateLayers, *, all_fit: bool, fits: Sequence[bool]
) -> Iterator[Draft]:
    """Drafts that call a class of the project instead of one of torch.nn."""
    if is_class_call(edited.call, base) and not edited.through and not edited.call.unpacks:
        named = [each for each in known(edited.call, edited.project, base) if each.statement is None]
        for each in named:
            if (own := _own_class(each, _depthwise(each, between))) is not None:
                yield from _drafts(edited, base, own, all_fit=all_fit, fits=fits)
        for each in named if all_fit and "Transpose" not in base else ():
            if (own := _own_class(each, _block(each, between))) is not None:
                yield from _after_block(edited, own)


def _arguments(call: WrittenCall) -> dict[str, ast.expr]:
    """The arguments of a call by the names of their parameters."""
    given = dict(zip(call_text.positions_of(call.callee), call.node.args, strict=False))
    return given | {keyword.arg: keyword.value for keyword in call.node.keywords if keyword.arg}


def _drafts(edited: EditedCall, base: str, own: OwnClass, *, all_fit: bool, fits: Sequence[bool]) -> Iterator[Draft]:
    """Drafts that call a class with the arguments that it has.

    What no parameter gives must be what the class has.
    """
    call = edited.call
    positions, count = call_text.positions_of(call.callee), len(call.node.args)
    given = _arguments(call)
    groups = given.pop("groups", None)
    if any((_text(given[n]) if n in given else DEFAULTS[n]) != text for n, text in own.built_with(given).items()):
        return
    add_bias = own.without_bias and "bias" not in given
    names = set(list(given)[count:])
    if not add_bias and own.parameters[:count] == positions[:count] and names <= {*own.written} & {*own.parameters}:
        for draft in conv_calls.class_drafts(edited, base, Helper(own.name, ""), all_fit=all_fit, fits=fits):
            yield Draft(tuple(Edit(edit.site, edit.text) for edit in draft.edits))
        return
    rest = [node for name, node in given.items() if name not in own.parameters and name not in own.fixed]
    if not all_fit or not all(isinstance(node, ast.Constant) for node in (*rest, groups) if node):
        return
    arguments = []
    for name, written in zip(own.parameters, own.written, strict=True):
        if name in given:
            start = "" if name in positions[:2] else f"{written}="
            arguments.append(start + ast.unparse(given[name]))
        elif name == "bias" and add_bias:
            arguments.append(f"{written}=True")
    yield Draft((Edit(call.site, f"{own.name}({', '.join(arguments)})"),))


def _after_block(edited: EditedCall, own: OwnClass) -> Iterator[Draft]:
    """The draft with a block of the project as the depthwise convolution, and a pointwise one after it."""
    call = edited.call
    given = _arguments(call)
    module, _, name = ast.unparse(call.node.func).rpartition(".")
    channels = [ast.unparse(given[each]) for each in ("in_channels", "out_channels") if each in given]
    simple = all(
        isinstance(given.get(n), ast.Name | ast.Attribute | ast.Constant) for n in ("in_channels", "bias") if n in given
    )
    rest = {n: node for n, node in given.items() if n in WINDOW or n == "padding_mode"}
    built = own.built_with(given)
    lost = [n for n in rest if n not in own.parameters and built.get(n, "") != _text(rest[n])]
    if not module or len(channels) < _CHANNELS or not simple or set(lost) - {"padding"}:
        return
    names = dict(zip(own.parameters, own.written, strict=True))
    first = [channels[0], channels[0]]
    first += [f"{names[n]}={ast.unparse(node)}" for n, node in rest.items() if n in names]
    first.append(f"{names['groups']}={channels[0]}")
    second = [*channels, "1"] + ([f"bias={ast.unparse(given['bias'])}"] if "bias" in given else [])
    text = f"{module}.Sequential({own.name}({', '.join(first)}), {module}.{name}({', '.join(second)}))"
    yield Draft((Edit(call.site, text),))


def _own_class(own: OwnDefinition, conv: ast.Call | None) -> OwnClass | None:
    """The class or function that builds a convolution first; None without one."""
    defaults = parameters(own.node)
    if conv is None or defaults is None or len(defaults) < _CHANNELS:
        return None
    written = tuple(defaults)
    names = ("in_channels", "out_channels", *(NAMES.get(given, "") for given in written[_CHANNELS:]))
    bias = next((defaults[name] for name in written if NAMES.get(name) == "bias"), None)
    places = ((name, at) for at, name in enumerate(DEFAULTS) if name in WINDOW and name not in names)
    fixed = {n: in_terms_of_parameters(own.node, argument(conv, n, at) or DEFAULTS[n]) for n, at in places}
    return OwnClass(own.name, names, written, fixed, defaults, isinstance(bias, ast.Constant) and bias.value is False)


def _text(expression: ast.expr, values: Mapping[str, ast.expr] | None = None) -> str:
    return ast.unparse(substituted(expression, values or {}))


def _depthwise(own: OwnDefinition, between: IntermediateLayers) -> ast.Call | None:
    """The convolution with as many groups as input channels, if this and a 1x1 one are built, and those between."""
    norms = [each for each in calls(own.node) if "Norm" in ast.unparse(each.func)]
    depthwise = [n for n in own.convs if argument(n, "groups", 6) == argument(n, "in_channels", 0)]
    pointwise = [n for n in own.convs if argument(n, "kernel_size", 2) in ("1", "(1, 1)")]
    if len(own.convs) != 2 or not len(depthwise) == len(pointwise) == 1:
        return None
    places = [depthwise[0].lineno < n.lineno < pointwise[0].lineno for n in norms]
    return depthwise[0] if places == [True] * (between != "none") and _activates(own, between) else None


def _block(own: OwnDefinition, between: IntermediateLayers) -> ast.Call | None:
    """The only convolution, if its groups are a parameter, and what follows it is what belongs between two."""
    norms = [each for each in calls(own.node) if "Norm" in ast.unparse(each.func)]
    fits = len(own.convs) == 1 and len(norms) == (between != "none") and _activates(own, between)
    groups = argument(own.convs[0], "groups", 6) if fits else ""
    named = groups in (parameters(own.node) or ())
    return own.convs[0] if named and between != "none" and NAMES.get(groups) == "groups" else None


def _activates(own: OwnDefinition, between: IntermediateLayers) -> bool:
    """Return whether the activation that is named anywhere in a class or function is that of a form, or none is."""
    text = ast.unparse(own.node).lower().replace("_", "")
    found = [form.activation for form in FORMS.values() if form.activation and form.activation.lower() in text]
    return max(found, key=len, default="") == FORMS[between].activation
