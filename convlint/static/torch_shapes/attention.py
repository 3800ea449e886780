"""Embeddings and attention."""

from __future__ import annotations

from convlint.static.domain.execution import ConstructorError, Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, count, size, unknown_result
from convlint.static.torch_shapes.broadcasting import broadcast
from convlint.static.torch_shapes.registry import Parameter, layer, operation
from convlint.static.torch_shapes.sizes import below, remainder, shape_of, show

# --- embeddings


def _embed(run: Execution, x: Value, width: Num) -> Value:
    if type(x) is not Tensor:
        return run.emit("embedding", [], [None])[0]
    shape = shape_of(run, x)
    return run.emit("embedding", [x], [None if shape is None else (*shape, width)], dtype="float32")[0]


def _construct_embedding(run: Execution, num_embeddings: Value, embedding_dim: Value) -> Attrs:
    rows, width = count(run, num_embeddings, "rows"), count(run, embedding_dim, "features")
    return {"num_embeddings": rows, "embedding_dim": width, "weight": run.tensor((rows, width))}


def _forward_embedding(run: Execution, layer: Instance, input: Value) -> Value:
    return _embed(run, input, layer.attrs["embedding_dim"])


_NATIVE_EMBEDDING = "padding_idx=-1, scale_grad_by_freq=False, sparse=False"
_EMBEDDING = "padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False"
_LAYER = f"num_embeddings, embedding_dim, {_EMBEDDING}, _weight=None, _freeze=False, device=None, dtype=None"
layer("Embedding", _LAYER, _forward_embedding, _construct_embedding)


@operation("F.embedding", signature=f"input, weight, {_EMBEDDING}")
@operation("embedding", signature=f"weight, indices, {_NATIVE_EMBEDDING}", input=Parameter("indices"))
def _embedding(run: Execution, input: Value, weight: Value) -> Value:
    shape = shape_of(run, weight) if type(weight) is Tensor else None
    if shape is None or len(shape) != 2:
        return unknown_result(run, input, weight)
    return _embed(run, input, shape[1])


@operation("F.one_hot")
def _one_hot(run: Execution, tensor: Tensor, num_classes: Value = -1) -> Value:
    shape = shape_of(run, tensor)
    classes = run.fresh("classes") if num_classes == -1 else size(run, num_classes, "classes")
    return run.emit("one_hot", [tensor], [None if shape is None else (*shape, classes)], dtype="int64")[0]


# --- attention


_ATTENTION = "query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False"


@operation("F.scaled_dot_product_attention", signature=_ATTENTION)
def _attention(run: Execution, query: Tensor, key: Tensor, value: Tensor, enable_gqa: Value) -> Value:
    queries, keys, values = shape_of(run, query), shape_of(run, key), shape_of(run, value)
    result = (*queries[:-1], values[-1]) if queries and values else None
    error = None
    if queries and keys and values and min(len(queries), len(keys), len(values)) > 1:
        batch: Shape = queries[:-2]
        if enable_gqa is False:  # else the keys have fewer heads
            batch, error = broadcast(run, [batch, keys[:-2], values[:-2]])
        if not run.demand(queries[-1], keys[-1]):
            error = f"Expected size for first two dimensions of batch2 tensor to fit: {show(queries)} and {show(keys)}"
        result = (*batch, queries[-2], values[-1])
    return run.emit("scaled_dot_product_attention", [query, key, value], [result], {}, error)[0]


def _construct_attention(run: Execution, embed_dim: Value, num_heads: Value, arguments: Attrs) -> Attrs:
    width, heads = count(run, embed_dim, "features"), count(run, num_heads, "heads")
    attrs: Attrs = {"embed_dim": width, "num_heads": heads, "batch_first": arguments["batch_first"]}
    for name in ("kdim", "vdim"):
        attrs[name] = width if arguments[name] is None else count(run, arguments[name], "features")
    if below(width, 1) or below(heads, 1):
        raise ConstructorError("embed_dim and num_heads must be greater than 0", attrs)
    if not run.demand(remainder(width, heads), 0):
        raise ConstructorError("embed_dim must be divisible by num_heads", attrs)
    return attrs


def _forward_attention(run: Execution, layer: Instance, query: Value, key: Value, arguments: Attrs) -> Value:
    inputs = [tensor for tensor in (query, key, arguments["value"]) if type(tensor) is Tensor]
    need_weights = arguments["need_weights"]
    if type(query) is not Tensor:
        return (unknown_result(run, *inputs), unknown_result(run, *inputs))
    shape, width, error = shape_of(run, query), layer.attrs["embed_dim"], None
    if shape is not None and len(shape) not in (2, 3):
        error = f"query should be unbatched 2D or batched 3D tensor but received {len(shape)}-D query tensor"
    elif shape and not run.demand(shape[-1], width):
        error = f"was expecting embedding dimension of {width}, but got {shape[-1]}"
        shape = (*shape[:-1], width)
    for name, tensor in (("kdim", key), ("vdim", arguments["value"])):
        own = shape_of(run, tensor) if type(tensor) is Tensor and tensor is not query else None
        if error is None and own and not run.demand(own[-1], layer.attrs[name]):
            error = f"the last size of the {'key' if name == 'kdim' else 'value'} is {own[-1]}, not {layer.attrs[name]}"
    weights = None
    if need_weights is True and arguments["average_attn_weights"] is True and type(key) is Tensor:
        weights = _weights_shape(shape, shape_of(run, key), layer.attrs["batch_first"])
    shapes = [shape] if need_weights is False else [shape, weights]
    results = run.emit("multi_head_attention_forward", inputs, shapes, {"embed_dim": width}, error)
    return (results[0], None) if need_weights is False else results


def _weights_shape(queries: Shape | None, keys: Shape | None, batch_first: Value) -> Shape | None:
    """Return the shape of the attention weights: (batch, queries, keys), averaged over heads."""
    if not queries or not keys or type(batch_first) is not bool:
        return None
    if len(queries) != len(keys) or len(queries) not in (2, 3):
        return None
    if batch_first or len(queries) == 2:
        return (*queries[:-1], keys[-2])
    return (queries[1], queries[0], keys[0])


layer(
    "MultiheadAttention",
    "embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, "
    "kdim=None, vdim=None, batch_first=False, device=None, dtype=None",
    _forward_attention,
    _construct_attention,
    "query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, "
    "average_attn_weights=True, is_causal=False",
)
