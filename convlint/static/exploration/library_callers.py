"""Functions of libraries that call a model: layer tables, counters, exporters.

Whoever writes ``summary(net, (3, 224, 224))`` says on what the model is to run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convlint.static.domain.objects import Instance, Scope
from convlint.static.domain.values import UNKNOWN, Tensor, Value, is_number

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

Own = Callable[[Any, Sequence[Value], dict[str, Value], ast.expr, Scope], Value]


def _caller(name: str, *, batched: bool) -> Own:
    """A function that takes a model and, second or by ``name``, its inputs: tensors, or sizes with
    or without a batch.
    """

    def own(
        interpreter: Interpreter,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
    ) -> Value:
        model = args[0] if args else kwargs.get("model", UNKNOWN)
        given = args[1] if len(args) > 1 else kwargs.get(name, UNKNOWN)
        if type(model) is Instance and model.is_module:
            tensors = _tensors(interpreter, given, batched=batched)
            if tensors:
                interpreter.call(model, tensors, {}, node, scope)
        return UNKNOWN

    return own


def _tensors(interpreter: Interpreter, given: Value, *, batched: bool) -> list[Value]:
    if type(given) is Tensor:
        return [given]
    if type(given) not in (tuple, list) or not given:
        return []
    if all(is_number(size) for size in given):
        shape = tuple(given) if batched else (1, *given)
        return [interpreter.execution.emit("input", [], [shape])[0]]
    found = [_tensors(interpreter, one, batched=batched) for one in given]
    return [tensors[0] for tensors in found] if all(len(t) == 1 for t in found) else []


CALLERS: dict[str, Own] = {
    "torchsummary.summary": _caller("input_size", batched=False),
    "torchinfo.summary": _caller("input_size", batched=True),
    "ptflops.get_model_complexity_info": _caller("input_res", batched=False),
    "thop.profile": _caller("inputs", batched=True),
    "fvcore.nn.FlopCountAnalysis": _caller("inputs", batched=True),
    "torch.jit.trace": _caller("example_inputs", batched=True),
    "torch.onnx.export": _caller("args", batched=True),
    "convlint.check": _caller("input", batched=False),
    "convlint.summary": _caller("input", batched=False),
}
