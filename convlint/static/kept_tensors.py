"""The tensors of an execution that are read after it: the program keeps them in attributes, lists and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convlint.ir import Site
from convlint.static.domain.objects import tensors_held_by
from convlint.static.domain.values import Tensor
from convlint.static.exploration.entry_points import ExecutionPath


def kept_tensors(path: ExecutionPath) -> Iterator[Tensor]:
    """Yield the tensors that objects and variables of the file hold at the end, and those that hooks see."""
    interpreter = path.interpreter
    yield from tensors_held_by([*interpreter.creators, *path.entry_point.module.values.values()])
    for call in interpreter.calls:
        if call.instance.hooked or call.instance.site in path.hooked:
            yield from (*call.inputs, *call.outputs)


def hooked_layers(paths: Iterable[ExecutionPath]) -> frozenset[Site]:
    """Return the constructor calls of the layers on which executions register hooks."""
    return frozenset(
        [
            instance.site
            for path in paths
            for instance in path.interpreter.creators
            if instance.hooked and instance.site is not None
        ]
    )
