"""Consequences of a rewrite for the rest of a project, read from its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from convlint.ir import Consequence, Edit, Graph, LayerChange, Replacement, Site
from convlint.source_text.call_sites import ParsedFile

_FUSES = re.compile(r"^_?(fuse|merge|convert|reparam|switch_to|deploy|to_deploy|absorb)")
_EFFECTS = re.compile(
    r"(^|[._])(open|save|write|dump|download|urlopen|hub|export|system|run|exit|backward|step)(_|$|\b)"
)
_LOADS = frozenset({"load_state_dict", "load_from_checkpoint", "load_model", "load_checkpoint", "load_pretrained"})
_OF_A_CONVOLUTION = frozenset(
    {"weight", "bias", "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"}
)
_RUN = frozenset({"__init__", "forward"})  # functions that every run has executed
_MOST_SITES = 3

Files = Mapping[str, ParsedFile]


def methods(files: Files) -> list[str]:
    """``Class.method`` for the methods that fuse or convert layers, need no argument and have no other effect."""
    found = []
    for file in files.values():
        for node in file.tree.body:
            for method in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, ast.FunctionDef) and _FUSES.search(method.name) and _can_be_called(method):
                    assert isinstance(node, ast.ClassDef)
                    found.append(f"{node.name}.{method.name}")
    return list(dict.fromkeys(found))


def _can_be_called(method: ast.FunctionDef) -> bool:
    arguments = method.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    by_torch = all(ast.unparse(each).startswith("torch.") for each in method.decorator_list)  # no_grad() and the like
    if needed != 1 or None in arguments.kw_defaults or not by_torch:
        return False
    calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
    return not any(_EFFECTS.search(ast.unparse(call.func)) for call in calls)


def site_of_method(files: Files, name: str) -> Site | None:
    """The definition of ``Class.method``."""
    cls, _, method = name.partition(".")
    for path, file in files.items():
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == cls:
                for part in node.body:
                    if isinstance(part, ast.FunctionDef) and part.name == method:
                        return Site(path, part.lineno, part.col_offset + 1, part.lineno, part.col_offset + 1)
    return None


# --- checkpoints and names of parameters


def parameters(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter by its name."""
    return {
        f"{layer.name}.{name}" if layer.name else name: shape
        for layer in graph.layers
        for name, shape in layer.parameters
    }


def checkpoints(before: Graph, after: Graph, files: Files, command: str, obstacle: str = "") -> Iterator[Consequence]:
    """State what becomes of checkpoints of the original, and where the project loads one.

    ``obstacle`` is why they cannot be converted, if so.
    """
    old, new = parameters(before), parameters(after)
    gone = [name for name, shape in old.items() if new.get(name) != shape]
    if not gone:
        return
    example = gone[0]
    parent = example.rpartition(".")[0]
    now = [name for name in new if name.startswith(f"{parent}.") and name not in old] or [example]
    loads = [site for path, file in files.items() for site in _loads(path, file)]
    places = f", for example at {_places(loads)}" if loads else ""
    change = f"{example} -> {', '.join(now)}" if now != [example] else f"{example} has another shape"
    advice = f"convert them with `{command} --weights OLD.pt --save-weights NEW.pt`"
    if obstacle:
        advice = f"they cannot be converted, because of {obstacle}"
    text = f"checkpoints of the original no longer load{places}: {len(gone)} of {len(old)} tensors differ ({change})"
    yield Consequence("checkpoint", f"{text}; {advice}", loads[0] if loads else None)


def _loads(path: str, file: ParsedFile) -> Iterator[Site]:
    for node in file.nodes:
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _LOADS:
                yield _site(path, node)


def names(before: Graph, after: Graph, files: Files) -> Iterator[Consequence]:
    """Strings that select parameters by their name, and select others afterwards."""
    old, new = parameters(before), parameters(after)
    gone = [name for name in old if name not in new]
    if not gone:
        return
    added = [name for name in new if name not in old]
    for path, file in files.items():
        for text, node in _strings(file):
            matched = sum(text in name for name in gone)
            still = sum(text in name for name in added)
            if matched and still < matched:
                message = (
                    f'"{text}" is part of the names of {matched} parameters of rewritten layers, and afterwards of '
                    f"{still} of {len(added)}; {added[0]} is one of the new names"
                )
                yield Consequence("parameter-name", message, _site(path, node))


def _strings(file: ParsedFile) -> Iterator[tuple[str, ast.expr]]:
    """Strings of the text that look like a part of a parameter's name, each once."""
    seen: set[str] = set()
    for node in file.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if text not in seen and re.fullmatch(r"\.?\w+(\.\w+)+\.?|\.\w+", text):
                seen.add(text)
                yield text, node


# --- reads of a layer's attributes


def reads(
    changes: Sequence[LayerChange], files: Files, known: Iterable[str], run: Iterable[str], edits: Iterable[Edit] = ()
) -> Iterator[Consequence]:
    """Code that no run executed, and that reads attributes which the new layers do not have.

    ``known`` are the attributes that they do have, ``run`` the methods that were run; ``edits`` may change the code.
    """
    edited = {(edit.site.path, edit.site.line, edit.site.column) for edit in edits}
    layers = {change.layer.rpartition(".")[2] for change in changes if _is_another_class(change.replacement)}
    layers = {name for name in layers if not name.isdigit()}
    attributes = _OF_A_CONVOLUTION - set(known)
    executed = {*_RUN, *(name.partition(".")[2] for name in run)}
    for path, file in files.items():
        found: dict[tuple[str, str], list[Site]] = {}
        for node in file.nodes:
            if not isinstance(node, ast.Attribute) or node.attr not in attributes:
                continue
            layer = _last_name(node.value)
            end = _site(path, node.value)
            if (path, end.end_line, end.end_column) in edited:
                continue
            if layer in layers and getattr(file.scope(node), "name", "") not in executed:
                found.setdefault((layer, node.attr), []).append(_site(path, node))
        for (layer, attribute), sites in found.items():
            text = f"reads `{layer}.{attribute}`, which a rewritten layer does not have; it was not run"
            more = f" (also at {_places(sites[1:])})" if len(sites) > 1 else ""
            yield Consequence("read", text + more, sites[0])


def _is_another_class(form: Replacement) -> bool:
    return form.code != "CVL501" or form.shuffled


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _site(path: str, node: ast.expr) -> Site:
    return Site(path, node.lineno, node.col_offset + 1, node.end_lineno or node.lineno, (node.end_col_offset or 0) + 1)


def _places(sites: Sequence[Site]) -> str:
    places = list(dict.fromkeys(str(site) for site in sites))
    more = len(places) - _MOST_SITES
    return ", ".join(places[:_MOST_SITES]) + (f" and {more} more" if more > 0 else "")
