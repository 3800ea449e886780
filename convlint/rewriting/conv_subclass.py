"""Text and drafts that are common to the rewrites of Conv2d into a subclass of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.rewriting.base import Draft, EditedCall, Helper, callee_edit, is_class_call, wrapping_edits

# The parameters of a class that replaces Conv2d, and the arguments after the channels that create it from ``conv``.
PARAMETERS = """\
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,"""
CONVERTED_ARGUMENTS = """\
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
        device=conv.weight.device,
        dtype=conv.weight.dtype,"""


def class_or_function_drafts(
    edited: EditedCall, base: str, replacement: Helper, converter: Helper, *, all_fit: bool
) -> Iterator[Draft]:
    """Drafts that call the class ``replacement``, if every layer can be rewritten, or wrap the call in ``converter``.

    The class does not accept groups, so a ``groups`` argument that is not a constant needs the converter.
    """
    call = edited.call
    groups = call.argument("groups", 6)
    constant = groups is None or isinstance(groups, ast.Constant)
    if all_fit and constant and not edited.through and is_class_call(call, base):
        yield Draft((callee_edit(call, replacement.name),), (replacement,))
    yield Draft(wrapping_edits(call, converter.name), (replacement, converter))
