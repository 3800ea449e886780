"""Classes of a file that are depthwise separable convolutions already, so that a rewrite can use them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.source_text.call_sites import WrittenCall

_CHANNELS = 2  # parameters before the kernel size


def separable_classes(call: WrittenCall, base: str) -> Iterator[str]:
    """The classes of a call's file that have a depthwise and a 1x1 convolution, and take its arguments.

    Whether one computes the same, with as many parameters as estimated, is for a run to show.
    """
    for node in call.file.tree.body:
        if isinstance(node, ast.ClassDef) and not _contains(node, call.node):
            init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
            if init is not None and _is_separable(init, base) and _takes(init, call):
                yield node.name


def _contains(node: ast.ClassDef, call: ast.Call) -> bool:
    return any(part is call for part in ast.walk(node))


def _is_separable(init: ast.FunctionDef, base: str) -> bool:
    """Return whether a constructor builds a convolution with as many groups as input channels, and a 1x1 one."""
    calls = [n for n in ast.walk(init) if isinstance(n, ast.Call) and ast.unparse(n.func).endswith(base)]
    depthwise = [n for n in calls if n.args and _keyword(n, "groups") == ast.unparse(n.args[0])]
    pointwise = [n for n in calls if "1" in (_keyword(n, "kernel_size"), *(ast.unparse(a) for a in n.args[2:3]))]
    return len(calls) == len(depthwise) + len(pointwise) == 2


def _keyword(call: ast.Call, name: str) -> str:
    return next((ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == name), "")


def _takes(init: ast.FunctionDef, call: WrittenCall) -> bool:
    """Return whether a constructor has the parameters that a call of Conv2d passes, apart from ``groups``."""
    names = [argument.arg for argument in init.args.args[1:]]
    keywords = {keyword.arg for keyword in call.node.keywords} - {"groups"}
    positional = len(call.node.args)
    first = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
    same = all(ours == theirs for ours, theirs in zip(first[_CHANNELS:positional], names[_CHANNELS:], strict=False))
    known = keywords <= {*names, *(argument.arg for argument in init.args.kwonlyargs)}
    return not call.unpacks and _CHANNELS <= positional <= len(names) and same and known
