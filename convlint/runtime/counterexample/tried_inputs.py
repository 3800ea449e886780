"""Inputs for a class that is built alone: those that static analysis knows, else all usual forms."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import nn

from convlint.ir import Shape
from convlint.runtime.inputs.make_inputs import Inputs, signature_of
from convlint.support.dataclass import dataclass

_SIZES = {0: (1,), 1: (16, 49, 7, 64, 128, 1024), 2: (8, 7, 16, 32, 64, 128, 224), 3: (8, 16, 32, 64)}
_FORMS = ((1, 0, -1, -1), (1, -1, 0), (1, 0), (1, 0, -1), (1, -1, -1, 0), (1, 0, -1, -1, -1))
"""Usual shapes of one input: 0 for its channels, -1 for a size."""
_FORM_SIZES = {0: (1,), 1: (16, 49), 2: (8, 7, 32, 64), 3: (8, 32)}
_SCALES = ((1, 1, 1), (1, 2, 4), (2, 1, 1), (4, 2, 1), (1, 4, 4), (4, 1, 1))
_LENGTH = re.compile(r"^(h|w|height|width)$", re.IGNORECASE)
_SIZE = re.compile(r"size|shape|resolution|^hw$")
_MOST_COUNTS = 8

Sizes = tuple[int, ...]
"""The size of each input."""


@dataclass(frozen=True)
class Form:
    """Shapes of the inputs of a forward: positive numbers are known, and -1 is any size."""

    shapes: tuple[Shape | None, ...]

    def inputs(self, model: nn.Module, sizes: Sizes) -> Inputs:
        """The arguments of the forward with these sizes. Sizes and masks get what their names ask for."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        parameters = _given(model, len(self.shapes))
        has_lengths = any(_LENGTH.search(parameter.name) for parameter in parameters)
        for parameter, shape, size in zip(parameters, self.shapes, sizes, strict=False):
            value = _other(parameter, size)
            if shape is not None:
                each = size * size if has_lengths and shape.count(-1) == 1 else size
                value = torch.rand(tuple(each if number < 0 else number for number in shape))
            if parameter.kind is parameter.KEYWORD_ONLY:
                kwargs[parameter.name] = value
            else:
                args.append(value)
        return Inputs(tuple(args), kwargs)

    def sizes(self, *, is_known: bool) -> Iterator[Sizes]:
        """The sizes of all inputs to try. One input may be a multiple of another, as in a decoder."""
        spatial = max((shape.count(-1) for shape in self.shapes if shape), default=0)
        tensors = [index for index, shape in enumerate(self.shapes) if shape is not None]
        scales = _SCALES if is_known and spatial > 1 and len(tensors) > 1 else ((1,),)
        for scale, size in product(scales, (_SIZES if is_known else _FORM_SIZES).get(spatial, (8,))):
            found = [size] * len(self.shapes)
            for index, factor in zip(tensors, scale, strict=False):
                found[index] = factor * size
            yield tuple(found)

    def with_other_channels(self, counts: Sequence[int]) -> Iterator[Form]:
        """The same form with other channels of one input."""
        for place, shape in enumerate(self.shapes):
            known = [index for index, number in enumerate(shape or ()) if index and number > 0]
            for index, count in product(known[:1], counts):
                assert shape is not None
                other = (*shape[:index], count, *shape[index + 1 :])
                if other != shape:
                    yield Form((*self.shapes[:place], other, *self.shapes[place + 1 :]))


def known_form(model: nn.Module, shapes: Sequence[Shape]) -> Form | None:
    """The form of inputs with these shapes, in which 0 is any size; None if a tensor's shape is unknown."""
    parameters = _given(model, len(shapes))
    if not shapes or len(shapes) != len(parameters):
        return None
    found: list[Shape | None] = []
    for parameter, shape in zip(parameters, shapes, strict=True):
        if not shape and not _takes_other(parameter):
            return None
        found.append((shape[0] or 1, *(number or -1 for number in shape[1:])) if shape else None)
    return Form(tuple(found)) if any(found) else None


def usual_forms(model: nn.Module, counts: Sequence[int]) -> Iterator[Form]:
    """Forms of inputs with all numbers of channels that the layers of a class suggest."""
    parameters = _required(model)
    tensors = [not _takes_other(parameter) for parameter in parameters]
    if not 0 < sum(tensors) < 3:
        return
    for form in _FORMS:
        for channels in product(counts, repeat=sum(tensors)):
            left = iter(channels)
            yield Form(tuple(_filled(form, next(left)) if is_tensor else None for is_tensor in tensors))


def channel_counts(model: nn.Module, arguments: Sequence[Any]) -> list[int]:
    """Numbers of channels that an input of a class may have: those that its layers read, and its arguments."""
    names = ("in_channels", "in_features", "num_features", "num_channels", "num_parameters", "embed_dim")
    counts = [vars(module).get(name) for module in model.modules() for name in names]
    counts += [m.normalized_shape[-1] for m in model.modules() if isinstance(m, nn.LayerNorm)]
    counts += arguments
    return list(dict.fromkeys(count for count in counts if type(count) is int and count > 0))[:_MOST_COUNTS]


def _filled(form: Shape, channels: int) -> Shape:
    return tuple(channels if number == 0 else number for number in form)


def _required(model: nn.Module) -> list[inspect.Parameter]:
    signature = signature_of(model)
    parameters = signature.parameters.values() if signature else ()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.default is p.empty and p.kind not in variable]


def _given(model: nn.Module, count: int) -> list[inspect.Parameter]:
    """The parameters that get ``count`` inputs: those that need one, and optional ones after them if there are more."""
    required = _required(model)
    signature = signature_of(model)
    every = [p for p in (signature.parameters.values() if signature else ()) if p.kind is p.POSITIONAL_OR_KEYWORD]
    return every[:count] if count > len(required) and every[: len(required)] == required else required


def _takes_other(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter of a forward takes a size or a mask, and no tensor of features."""
    name = parameter.name
    return _LENGTH.search(name) is not None or _SIZE.search(name) is not None or "mask" in name


def _other(parameter: inspect.Parameter, size: int) -> Any:
    """A value for a parameter that takes no tensor of features."""
    if _SIZE.search(parameter.name):
        return (size, size)
    return size if _LENGTH.search(parameter.name) else None
