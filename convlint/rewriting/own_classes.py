"""Classes and functions of a project that a depthwise separable convolution can be built of, so that none is added.

They are separable already, or a block of convolution, norm and activation with groups. Their text only says which are
worth a run: that shows what they compute, and with how many parameters.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from convlint.ir import Edit, IntermediateLayers
from convlint.rewriting import call_text, conv_calls, imports
from convlint.rewriting.base import Draft, EditedCall, Helper, is_class_call
from convlint.rewriting.layer_class import DEFAULTS, WINDOW
from convlint.rewriting.project import Project
from convlint.source_text import call_sites
from convlint.source_text.call_sites import ParsedFile, WrittenCall
from convlint.support.dataclass import dataclass

_NAMES = {  # of the parameters that are not channels, as projects call them
    "kernel_size": ("kernel_size", "kernel", "ks", "k", "kernel_sz"),
    "stride": ("stride", "strides", "s"),
    "padding": ("padding", "pad", "p"),
    "dilation": ("dilation", "d"),
    "bias": ("bias", "use_bias"),
    "padding_mode": ("padding_mode",),
    "groups": ("groups", "group", "g"),
}
_Definition = ast.ClassDef | ast.FunctionDef
_ACTIVATION = {"none": "", "norm": "", "norm-relu": "relu", "norm-prelu": "prelu"}
_CHANNELS = 2  # parameters before these


@dataclass(frozen=True, slots=True)
class OwnClass:
    """A class that a file defines or imports: its name there, and its parameters in order, named as in torch.nn.

    ``fixed`` are the window of its first convolution where no parameter gives it. ``without_bias``: it has no bias
    unless one is passed.
    """

    name: str
    parameters: tuple[str, ...]
    written: tuple[str, ...]  # the same, named as in the class
    fixed: Mapping[str, str]
    without_bias: bool = False


def drafts(
    edited: EditedCall, base: str, between: IntermediateLayers, *, all_fit: bool, fits: Sequence[bool]
) -> Iterator[Draft]:
    """Drafts that call a class of the project instead of one of torch.nn."""
    if is_class_call(edited.call, base) and not edited.through and not edited.call.unpacks:
        known = list(_known(edited.call, edited.project, base))
        for name, node, convs in known:
            if (own := _own_class(name, node, _depthwise(node, convs, between))) is not None:
                yield from _drafts(edited, own, all_fit=all_fit, fits=fits)
        for name, node, convs in known if all_fit and "Transpose" not in base else ():
            if (own := _own_class(name, node, _block(node, convs, between))) is not None:
                yield from _after_block(edited, own)


def _arguments(call: WrittenCall) -> dict[str, ast.expr]:
    """The arguments of a call by the names of their parameters."""
    given = dict(zip(call_text.positions_of(call), call.node.args, strict=False))
    return given | {keyword.arg: keyword.value for keyword in call.node.keywords if keyword.arg}


def _drafts(edited: EditedCall, own: OwnClass, *, all_fit: bool, fits: Sequence[bool]) -> Iterator[Draft]:
    """Drafts that call a class with the arguments that it has.

    What no parameter gives must be what the class has.
    """
    call = edited.call
    positions, count = call_text.positions_of(call), len(call.node.args)
    given = _arguments(call)
    groups = given.pop("groups", None)
    if any((ast.unparse(given[n]) if n in given else DEFAULTS[n]) != text for n, text in own.fixed.items()):
        return
    add_bias = own.without_bias and "bias" not in given
    names = set(list(given)[count:])
    if not add_bias and own.parameters[:count] == positions[:count] and names <= {*own.written} & {*own.parameters}:
        for draft in conv_calls.class_drafts(edited, Helper(own.name, ""), all_fit=all_fit, fits=fits):
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
    lost = [n for n in rest if n not in own.parameters and own.fixed.get(n, "") != ast.unparse(rest[n])]
    if not module or len(channels) < _CHANNELS or not simple or set(lost) - {"padding"}:
        return
    names = dict(zip(own.parameters, own.written, strict=True))
    first = [channels[0], channels[0]]
    first += [f"{names[n]}={ast.unparse(node)}" for n, node in rest.items() if n in names]
    first.append(f"{names['groups']}={channels[0]}")
    second = [*channels, "1"] + ([f"bias={ast.unparse(given['bias'])}"] if "bias" in given else [])
    text = f"{module}.Sequential({own.name}({', '.join(first)}), {module}.{name}({', '.join(second)}))"
    yield Draft((Edit(call.site, text),))


def _own_class(name: str, node: _Definition, conv: ast.Call | None) -> OwnClass | None:
    """The class or function that builds a convolution first; None without one."""
    init = _constructor(node)
    if conv is None or init is None or init.args.vararg is not None:
        return None
    written = [argument.arg for argument in (*init.args.args, *init.args.kwonlyargs)][init is not node :]
    if len(written) < _CHANNELS:
        return None
    same = {given: ours for ours, names in _NAMES.items() for given in names}
    parameters = ("in_channels", "out_channels", *(same.get(given, "") for given in written[_CHANNELS:]))
    defaults = dict(zip(reversed(written), reversed(_defaults(init.args)), strict=False))
    bias = next((defaults.get(name) for name in written if same.get(name) == "bias"), None)
    places = ((name, at) for at, name in enumerate(DEFAULTS) if name in WINDOW and name not in parameters)
    fixed = {given: _argument(conv, given, at) or DEFAULTS[given] for given, at in places}
    return OwnClass(name, parameters, tuple(written), fixed, isinstance(bias, ast.Constant) and bias.value is False)


def _constructor(node: _Definition) -> ast.FunctionDef | None:
    if isinstance(node, ast.FunctionDef):
        return node
    return next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)


def _defaults(arguments: ast.arguments) -> list[ast.expr | None]:
    """The defaults of the last parameters, those by name only included."""
    return [*arguments.defaults, *arguments.kw_defaults]


def _known(call: WrittenCall, project: Project, base: str) -> Iterator[tuple[str, _Definition, list[ast.Call]]]:
    """The classes and functions that a file defines or imports from the project, apart from that of the call.

    Each with the convolutions that it builds.
    """
    for node in call.file.tree.body:
        if isinstance(node, _Definition) and not any(part is call.node for part in ast.walk(node)):
            yield node.name, node, _convolutions(node, call.file, base)
        if (
            isinstance(node, ast.ImportFrom)
            and (path := imports.path_of(node, call.site.path, project))
            and (file := call_sites.parsed_file(path, project.texts))
        ):
            there = {each.name: each for each in file.tree.body if isinstance(each, _Definition)}
            named = [(a.asname or a.name, there[a.name]) for a in node.names if a.name in there]
            yield from ((name, each, _convolutions(each, file, base)) for name, each in named)


def _convolutions(node: _Definition, file: ParsedFile, base: str) -> list[ast.Call]:
    """The calls of a class of torch.nn by any of its names in a file."""
    aliases = [alias for each in file.tree.body if isinstance(each, ast.ImportFrom) for alias in each.names]
    names = {base, *(alias.asname for alias in aliases if alias.name == base)}
    return [each for each in _calls(node) if ast.unparse(each.func).rpartition(".")[2] in names]


def _depthwise(node: _Definition, convs: Sequence[ast.Call], between: IntermediateLayers) -> ast.Call | None:
    """The convolution with as many groups as input channels, if this and a 1x1 one are built, and those between."""
    norms = [each for each in _calls(node) if "Norm" in ast.unparse(each.func)]
    depthwise = [n for n in convs if _argument(n, "groups", 6) == _argument(n, "in_channels", 0)]
    pointwise = [n for n in convs if _argument(n, "kernel_size", 2) in ("1", "(1, 1)")]
    if len(convs) != 2 or not len(depthwise) == len(pointwise) == 1:
        return None
    places = [depthwise[0].lineno < n.lineno < pointwise[0].lineno for n in norms]
    return depthwise[0] if places == [True] * (between != "none") and _activates(node) == _ACTIVATION[between] else None


def _block(node: _Definition, convs: Sequence[ast.Call], between: IntermediateLayers) -> ast.Call | None:
    """The only convolution, if its groups are a parameter, and what follows it is what belongs between two."""
    norms = [each for each in _calls(node) if "Norm" in ast.unparse(each.func)]
    fits = len(convs) == 1 and len(norms) == (between != "none") and _activates(node) == _ACTIVATION[between]
    groups = _argument(convs[0], "groups", 6) if fits else ""
    init = _constructor(node)
    named = init is not None and groups in [each.arg for each in (*init.args.args, *init.args.kwonlyargs)]
    return convs[0] if named and between != "none" and groups in _NAMES["groups"] else None


def _calls(node: _Definition) -> list[ast.Call]:
    """The calls in the constructor of a class, or in a function."""
    init = _constructor(node)
    return [each for each in ast.walk(init) if isinstance(each, ast.Call)] if init else []


def _activates(node: _Definition) -> str:
    """The activation that is named anywhere in a class or function."""
    text = ast.unparse(node).lower()
    return "prelu" if "prelu" in text else "relu" if "relu" in text else ""


def _argument(call: ast.Call, name: str, position: int) -> str:
    given = {keyword.arg: keyword.value for keyword in call.keywords}.get(name)
    if given is None and position < len(call.args):
        given = call.args[position]
    return "" if given is None else ast.unparse(given)
