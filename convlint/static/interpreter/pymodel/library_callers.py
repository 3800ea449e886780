"""Library functions that run a model: layer tables, counters, exporters. They show the input it is meant for."""

from __future__ import annotations

from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Tensor, Value, as_number
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction


def _caller(name: str, *, batched: bool) -> NativeFunction:
    """Return a function of a model and, second or by ``name``, its inputs: tensors or sizes."""

    def run_model(call: Call) -> Value:
        model = call.argument(0, "model", UNKNOWN)
        if type(model) is Instance and model.is_module:
            tensors = _tensors(call, call.argument(1, name, UNKNOWN), batched=batched)
            if tensors:
                call.interpreter.call(model, call.with_args(tensors, {}))
        return UNKNOWN

    return run_model


def _tensors(call: Call, inputs: Value, *, batched: bool) -> list[Value]:
    if type(inputs) is Tensor:
        return [inputs]
    if type(inputs) not in (tuple, list) or not inputs:
        return []
    if all(as_number(size) is not None for size in inputs):
        return [call.interpreter.execution.emit("input", [], [tuple(inputs) if batched else (1, *inputs)])[0]]
    each = [_tensors(call, item, batched=batched) for item in inputs]
    return [tensors[0] for tensors in each] if all(len(t) == 1 for t in each) else []


CALLERS: dict[str, NativeFunction] = {
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
