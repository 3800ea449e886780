"""Embeddings, attention and recurrent layers, and products named by an equation."""

from __future__ import annotations

import re

from convlint.static.domain.execution import Execution, Refused
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Handler, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, operation
from convlint.static.torch_shapes.sizing import (
    below,
    number,
    plain,
    remainder,
    shape_of,
    size,
    unseen,
)
from convlint.static.torch_shapes.words import Attrs, count

# --- embeddings


def _embedded(run: Execution, x: Value, width: Num) -> Value:
    if type(x) is not Tensor:
        return run.emit("embedding", [], [None])[0]
    shape = shape_of(run, x)
    result = None if shape is None else (*shape, width)
    return run.emit("embedding", [x], [result], dtype="float32")[0]


def _construct_embedding(
    run: Execution,
    num_embeddings: Value,
    embedding_dim: Value,
    padding_idx: Value = None,
    max_norm: Value = None,
    norm_type: Value = 2.0,
    scale_grad_by_freq: Value = False,
    sparse: Value = False,
    _weight: Value = None,
    _freeze: Value = False,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    rows, width = count(run, num_embeddings, "rows"), count(run, embedding_dim, "features")
    return {
        "num_embeddings": rows,
        "embedding_dim": width,
        "weight": run.tensor((rows, width)),
    }


def _embedding_layer(run: Execution, layer: Instance, input: Value) -> Value:
    return _embedded(run, input, layer.attrs["embedding_dim"])


@operation("F.embedding", "embedding")
def _embedding(
    run: Execution,
    input: Value,
    weight: Value,
    padding_idx: Value = None,
    max_norm: Value = None,
    norm_type: Value = 2.0,
    scale_grad_by_freq: Value = False,
    sparse: Value = False,
) -> Value:
    form = shape_of(run, weight) if type(weight) is Tensor else None
    if form is None or len(form) != 2:
        return unseen(run, input, weight)
    return _embedded(run, input, form[1])


LAYERS["Embedding"] = LayerKind(_construct_embedding, _embedding_layer)


@operation("F.one_hot")
def _one_hot(run: Execution, input: Value, num_classes: Value = -1) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    classes = run.fresh("classes") if num_classes == -1 else size(run, num_classes, "classes")
    result = None if shape is None else (*shape, classes)
    return run.emit("one_hot", [input], [result], dtype="int64")[0]


# --- attention


@operation("F.scaled_dot_product_attention")
def _attention(
    run: Execution,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value = None,
    dropout_p: Value = 0.0,
    is_causal: Value = False,
    scale: Value = None,
    enable_gqa: Value = False,
) -> Value:
    given = [one for one in (query, key, value) if type(one) is Tensor]
    if len(given) < 3:
        return unseen(run, query, key, value)
    asks, gives = shape_of(run, query), shape_of(run, value)
    result = (*asks[:-1], gives[-1]) if asks and gives else None
    return run.emit("scaled_dot_product_attention", given, [result])[0]


def _construct_multihead(
    run: Execution,
    embed_dim: Value,
    num_heads: Value,
    dropout: Value = 0.0,
    bias: Value = True,
    add_bias_kv: Value = False,
    add_zero_attn: Value = False,
    kdim: Value = None,
    vdim: Value = None,
    batch_first: Value = False,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    width, heads = count(run, embed_dim, "features"), count(run, num_heads, "heads")
    attrs: Attrs = {"embed_dim": width, "num_heads": heads, "batch_first": batch_first}
    if below(width, 1) or below(heads, 1):
        raise Refused("embed_dim and num_heads must be greater than 0", attrs)
    if not run.demand(remainder(width, heads), 0):
        raise Refused("embed_dim must be divisible by num_heads", attrs)
    return attrs


def _multihead(
    run: Execution,
    layer: Instance,
    query: Value,
    key: Value,
    value: Value,
    key_padding_mask: Value = None,
    need_weights: Value = True,
    attn_mask: Value = None,
    average_attn_weights: Value = True,
    is_causal: Value = False,
) -> Value:
    inputs = [one for one in (query, key, value) if type(one) is Tensor]
    if type(query) is not Tensor:
        return (unseen(run, *inputs), unseen(run, *inputs))
    shape, width, error = shape_of(run, query), layer.attrs["embed_dim"], None
    if shape is not None and len(shape) not in (2, 3):
        error = (
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{len(shape)}-D query tensor"
        )
    elif shape and not run.demand(shape[-1], width):
        error = f"was expecting embedding dimension of {width}, but got {shape[-1]}"
    weights = None
    if need_weights is True and average_attn_weights is True and type(key) is Tensor:
        weights = _weights(shape, shape_of(run, key), layer.attrs["batch_first"])
    made = run.emit("multi_head_attention_forward", inputs, [shape, weights], {}, error)
    return made if need_weights is not False else (made[0], None)


def _weights(asks: Shape | None, keys: Shape | None, batch_first: Value) -> Shape | None:
    """The shape of the weights of attention: for each query one for each key."""
    if not asks or not keys or type(batch_first) is not bool:
        return None
    if len(asks) != len(keys) or len(asks) not in (2, 3):
        return None
    if len(asks) == 2:
        return (asks[0], keys[0])
    if batch_first:
        return (asks[0], asks[1], keys[1])
    return (asks[1], asks[0], keys[0])


LAYERS["MultiheadAttention"] = LayerKind(_construct_multihead, _multihead)


def _construct_transformer(run: Execution, *args: Value, **kwargs: Value) -> Attrs:
    return {}


def _transformer(
    run: Execution, layer: Instance, src: Value, *args: Value, **kwargs: Value
) -> Value:
    """A transformer's parts give what they were given the shape of."""
    if type(src) is not Tensor:
        return unseen(run, src, *args)
    return run.emit("unseen", [src], [], like=src)[0]


for _name in (
    *("TransformerEncoderLayer", "TransformerEncoder", "TransformerDecoderLayer"),
    "TransformerDecoder",
):
    LAYERS[_name] = LayerKind(_construct_transformer, _transformer)


# --- recurrent layers


def _construct_recurrent(
    run: Execution,
    input_size: Value,
    hidden_size: Value,
    num_layers: Value = 1,
    bias: Value = True,
    batch_first: Value = False,
    dropout: Value = 0.0,
    bidirectional: Value = False,
    proj_size: Value = 0,
    device: Value = None,
    dtype: Value = None,
    *,
    nonlinearity: Value = "tanh",
) -> Attrs:
    return {
        "input_size": count(run, input_size, "features"),
        "hidden_size": count(run, hidden_size, "features"),
        "num_layers": count(run, num_layers, "layers"),
        "batch_first": batch_first,
        "bidirectional": bidirectional,
        "proj_size": proj_size,
    }


def _recurrent(op: str) -> Handler:
    def forward(run: Execution, layer: Instance, input: Value, hx: Value = None) -> Value:
        states = 2 if op == "lstm" else 1
        if type(input) is not Tensor:
            return (unseen(run, input), unseen(run, input))
        attrs, shape, error = layer.attrs, shape_of(run, input, 3) or (), None
        flags_known = type(attrs["bidirectional"]) is type(attrs["batch_first"]) is bool
        if len(shape) not in (2, 3):
            error = f"{op.upper()}: Expected input to be 2D or 3D, got {len(shape)}D instead"
        elif not run.demand(shape[-1], attrs["input_size"]):
            error = (
                f"input.size(-1) must be equal to input_size. Expected {attrs['input_size']}, "
                f"got {shape[-1]}"
            )
        out: Shape | None = None
        state: Shape | None = None
        if flags_known and len(shape) in (2, 3) and attrs["proj_size"] == 0:
            ways, wide = 2 if attrs["bidirectional"] else 1, attrs["hidden_size"]
            out = (*shape[:-1], plain(wide * ways))
            batch = shape[:1] if attrs["batch_first"] else shape[1:2]
            state = (plain(attrs["num_layers"] * ways), *(batch if len(shape) == 3 else ()), wide)
        made = run.emit(op, [input], [out, *[state] * states], {}, error)
        return (made[0], made[1] if states == 1 else made[1:])

    return forward


for _name, _op in (("LSTM", "lstm"), ("GRU", "gru"), ("RNN", "rnn_tanh")):
    LAYERS[_name] = LayerKind(_construct_recurrent, _recurrent(_op))


# --- einsum


@operation("einsum")
def _einsum(run: Execution, equation: Value, *operands: Value) -> Value:
    given = operands[0] if len(operands) == 1 and type(operands[0]) in (list, tuple) else operands
    if type(equation) is not str or not all(type(one) is Tensor for one in given):
        return unseen(run, *given)
    attrs = {"equation": equation}
    text = equation.replace(" ", "")
    shapes = [shape_of(run, one) for one in given]
    if not re.fullmatch(r"[a-zA-Z]*(,[a-zA-Z]*)*->[a-zA-Z]*", text):
        return run.emit("einsum", list(given), [None], attrs)[0]
    into, out = text.split("->")
    terms = into.split(",")
    if len(terms) != len(given):
        told = "einsum(): more operands were provided than specified in the equation"
        return run.emit("einsum", list(given), [None], attrs, told)[0]
    lengths: dict[str, Num] = {}
    error = None
    for term, shape in zip(terms, shapes, strict=True):
        if shape is not None:
            error = error or _label(run, term, shape, lengths)
    if any(label not in into for label in out):
        error = error or "einsum(): output subscript does not appear in any input"
    result = tuple([lengths[one] if one in lengths else run.fresh("size") for one in out])
    return run.emit("einsum", list(given), [result], attrs, error)[0]


def _label(run: Execution, term: str, shape: Shape, lengths: dict[str, Num]) -> str | None:
    """Note what each letter stands for; what PyTorch says where a shape does not fit."""
    if len(term) != len(shape):
        return (
            f"einsum(): the number of subscripts in the equation ({len(term)}) does not match the "
            f"number of dimensions ({len(shape)}) for an operand"
        )
    for letter, one in zip(term, shape, strict=True):
        known = lengths.get(letter)
        if known is None or (type(known) is int and known == 1):
            lengths[letter] = one
        elif not (type(one) is int and one == 1) and not run.demand(known, one):
            if run.equal(known, 1) is None or run.equal(one, 1) is None:
                continue
            return f"einsum(): operands do not broadcast: {letter} has size {one} and was {known} before"
    return None


@operation("F.cosine_similarity", "cosine_similarity")
def _cosine_similarity(
    run: Execution, x1: Value, x2: Value, dim: Value = 1, eps: Value = 1e-8
) -> Value:
    shape = shape_of(run, x1) if type(x1) is Tensor else None
    at = number(dim)
    if shape is None or type(at) is not int or type(x2) is not Tensor or x2.shape != x1.shape:
        return unseen(run, x1, x2)
    at %= max(1, len(shape))
    return run.emit("cosine_similarity", [x1, x2], [(*shape[:at], *shape[at + 1 :])])[0]
