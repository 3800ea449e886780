"""Recurrent layers."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, count, is_sequence, unknown_result
from convlint.static.torch_shapes.registry import layer
from convlint.static.torch_shapes.sizes import plain, shape_of, shape_of_rank


def _construct(run: Execution, proj_size: Value, arguments: Attrs) -> Attrs:
    counts = (("input_size", "features"), ("hidden_size", "features"), ("num_layers", "layers"))
    attrs: Attrs = {name: count(run, arguments[name], unit) for name, unit in counts}
    return attrs | {name: arguments[name] for name in ("batch_first", "bidirectional")} | {"proj_size": proj_size}


def _forward(run: Execution, layer: Instance, input: Value, op: str) -> Value:
    """Return the output and the last state, which for an LSTM is a pair."""
    if type(input) is not Tensor:
        return (unknown_result(run, input), unknown_result(run, input))
    attrs, shape, error = layer.attrs, shape_of_rank(run, input, 3), None
    if len(shape) not in (2, 3):
        error = f"{op.upper()}: Expected input to be 2D or 3D, got {len(shape)}D instead"
    elif not run.demand(shape[-1], attrs["input_size"]):
        error = f"input.size(-1) must be equal to input_size. Expected {attrs['input_size']}, got {shape[-1]}"
    output: Shape | None = None
    state: Shape | None = None
    flags_known = type(attrs["bidirectional"]) is type(attrs["batch_first"]) is bool
    if flags_known and len(shape) in (2, 3) and attrs["proj_size"] == 0:
        directions, hidden = 2 if attrs["bidirectional"] else 1, attrs["hidden_size"]
        output = (*shape[:-1], plain(hidden * directions))
        batch = shape[:1] if attrs["batch_first"] else shape[1:2]
        state = (plain(attrs["num_layers"] * directions), *(batch if len(shape) == 3 else ()), hidden)
    states = 2 if op == "lstm" else 1
    results = run.emit(op, [input], [output, *[state] * states], {}, error)
    return (results[0], results[1] if states == 1 else results[1:])


# --- cells


def _construct_cell(run: Execution, input_size: Value, hidden_size: Value) -> Attrs:
    return {"input_size": count(run, input_size, "features"), "hidden_size": count(run, hidden_size, "features")}


def _forward_cell(run: Execution, layer: Instance, input: Value, hx: Value, op: str) -> Value:
    """Return the next state, which for an LSTM is a pair."""
    states = hx if is_sequence(hx) else (hx,)
    inputs = [value for value in (input, *states) if type(value) is Tensor]
    count = 2 if op == "lstm_cell" else 1
    if type(input) is not Tensor:
        return tuple([unknown_result(run, input) for _ in range(count)]) if count > 1 else unknown_result(run, input)
    attrs, shape, error = layer.attrs, shape_of_rank(run, input, 2), None
    hidden = attrs["hidden_size"]
    if len(shape) not in (1, 2):
        error = f"{op}: Expected input to be 1D or 2D, got {len(shape)}D instead"
    elif not run.demand(shape[-1], attrs["input_size"]):
        error = f"input has inconsistent input_size: got {shape[-1]} expected {attrs['input_size']}"
    for state in states if error is None else ():
        known = shape_of(run, state) if type(state) is Tensor else None
        if known and not run.demand(known[-1], hidden):
            error = f"hidden has inconsistent hidden_size: got {known[-1]}, expected {hidden}"
        elif known and len(known) == len(shape) == 2 and not run.demand(known[0], shape[0]):
            error = f"Input batch size {shape[0]} doesn't match hidden batch size {known[0]}"
    results = run.emit(op, inputs, [(*shape[:-1], hidden)] * count, {}, error)
    return results if count > 1 else results[0]


_SIZES = "input_size, hidden_size, num_layers=1"
_OPTIONS = "bias=True, batch_first=False, dropout=0.0, bidirectional=False"
_PLACE = "device=None, dtype=None"
_INPUTS = "input, hx=None"
layer("LSTM", f"{_SIZES}, {_OPTIONS}, proj_size=0, {_PLACE}", _forward, _construct, _INPUTS, op="lstm")
layer("GRU", f"{_SIZES}, {_OPTIONS}, {_PLACE}", _forward, _construct, _INPUTS, op="gru", proj_size=0)
_RNN = f"{_SIZES}, nonlinearity='tanh', {_OPTIONS}, {_PLACE}"
_CELL = "input_size, hidden_size, bias=True"
layer("LSTMCell", f"{_CELL}, {_PLACE}", _forward_cell, _construct_cell, _INPUTS, op="lstm_cell")
layer("GRUCell", f"{_CELL}, {_PLACE}", _forward_cell, _construct_cell, _INPUTS, op="gru_cell")
_RNN_CELL = f"{_CELL}, nonlinearity='tanh', {_PLACE}"
layer("RNNCell", _RNN_CELL, _forward_cell, _construct_cell, _INPUTS, op="rnn_tanh_cell")
layer("RNN", _RNN, _forward, _construct, _INPUTS, op="rnn_tanh", proj_size=0)
