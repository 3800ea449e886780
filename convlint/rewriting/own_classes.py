"""Classes of a project that are depthwise separable convolutions already, so that a rewrite can use them.

Whether one computes the same, with as many parameters as estimated, is for a run to show.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence

from convlint.ir import Edit
from convlint.rewriting import conv_calls
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
}
_CHANNELS = 2  # parameters before these
_MOST_PACKAGES = 3  # folders above a file in which an absolute import is looked up


@dataclass(frozen=True, slots=True)
class OwnClass:
    """A class that a file defines or imports: its name there, and its parameters in order, named as in torch.nn.

    ``fixed`` are the window of its depthwise convolution where no parameter gives it. ``without_bias``: it has no bias
    unless one is passed.
    """

    name: str
    parameters: tuple[str, ...]
    written: tuple[str, ...]  # the same, named as in the class
    fixed: Mapping[str, str]
    without_bias: bool = False


def drafts(edited: EditedCall, base: str, *, all_fit: bool, fits: Sequence[bool]) -> Iterator[Draft]:
    """Drafts that call a class of the project instead of one of torch.nn."""
    if is_class_call(edited.call, base) and not edited.through and not edited.call.unpacks:
        for own in separable_classes(edited.call, base, edited.project):
            yield from _drafts(edited, own, all_fit=all_fit, fits=fits)


def _drafts(edited: EditedCall, own: OwnClass, *, all_fit: bool, fits: Sequence[bool]) -> Iterator[Draft]:
    """Drafts that call a class with the arguments that it has.

    What no parameter gives must be what the class has.
    """
    call = edited.call
    positions, count = conv_calls.positions_of(call), len(call.node.args)
    given = dict(zip(positions, call.node.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.node.keywords if keyword.arg}
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


def separable_classes(call: WrittenCall, base: str, project: Project) -> Iterator[OwnClass]:
    """The classes that the file of a call knows, and that have a depthwise and a 1x1 convolution of this class."""
    known = [(node.name, node) for node in call.file.tree.body if isinstance(node, ast.ClassDef)]
    for name, node in [*known, *_imported(call, project)]:
        init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is None or any(part is call.node for part in ast.walk(node)):
            continue
        depthwise = _depthwise(init, base)
        if depthwise is None:
            continue
        written = [argument.arg for argument in (*init.args.args[1:], *init.args.kwonlyargs)]
        same = {given: ours for ours, names in _NAMES.items() for given in names}
        ours = [given if at < _CHANNELS else same.get(given, "") for at, given in enumerate(written)]
        if len(written) >= _CHANNELS and init.args.vararg is None:
            parameters = ("in_channels", "out_channels", *ours[_CHANNELS:])
            defaults = dict(zip(reversed(written), reversed(_defaults(init.args)), strict=False))
            bias = next((defaults.get(name) for name in written if same.get(name) == "bias"), None)
            places = ((name, at) for at, name in enumerate(DEFAULTS) if name in WINDOW and name not in parameters)
            fixed = {given: _argument(depthwise, given, at) or DEFAULTS[given] for given, at in places}
            yield OwnClass(
                name, parameters, tuple(written), fixed, isinstance(bias, ast.Constant) and bias.value is False
            )


def _defaults(arguments: ast.arguments) -> list[ast.expr | None]:
    """The defaults of the last parameters, those by name only included."""
    return [*arguments.defaults, *arguments.kw_defaults]


def _imported(call: WrittenCall, project: Project) -> Iterator[tuple[str, ast.ClassDef]]:
    """The classes that a file imports from files of the project, by their names in it."""
    for node in call.file.tree.body:
        if isinstance(node, ast.ImportFrom) and (file := _file(node, call.site.path, project)) is not None:
            classes = {each.name: each for each in file.tree.body if isinstance(each, ast.ClassDef)}
            yield from ((a.asname or a.name, classes[a.name]) for a in node.names if a.name in classes)


def _file(node: ast.ImportFrom, path: str, project: Project) -> ParsedFile | None:
    """The file of the project from which a statement imports."""
    folders = [os.path.dirname(os.path.abspath(path))]
    while len(folders) <= max(_MOST_PACKAGES, node.level):
        folders.append(os.path.dirname(folders[-1]))
    for folder in [folders[node.level - 1]] if node.level else folders:
        place = os.path.join(folder, *(node.module or "__init__").split("."))
        for found in (f"{place}.py", os.path.join(place, "__init__.py")):
            if os.path.isfile(found) and project.owns(found):
                return call_sites.parsed_file(found, project.texts)
    return None


def _depthwise(init: ast.FunctionDef, base: str) -> ast.Call | None:
    """The convolution with as many groups as input channels, if a constructor builds this and a 1x1 one."""
    calls = [n for n in ast.walk(init) if isinstance(n, ast.Call)]
    names = [ast.unparse(n.func) for n in calls]
    if any("Norm" in name or "ReLU" in name for name in names):
        return None  # it computes more
    calls = [call for call, name in zip(calls, names, strict=True) if name.endswith(base)]
    depthwise = [n for n in calls if _argument(n, "groups", 6) == _argument(n, "in_channels", 0)]
    pointwise = [n for n in calls if _argument(n, "kernel_size", 2) in ("1", "(1, 1)")]
    return depthwise[0] if len(calls) == 2 and len(depthwise) == len(pointwise) == 1 else None


def _argument(call: ast.Call, name: str, position: int) -> str:
    given = {keyword.arg: keyword.value for keyword in call.keywords}.get(name)
    if given is None and position < len(call.args):
        given = call.args[position]
    return "" if given is None else ast.unparse(given)
