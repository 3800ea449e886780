"""Names of the classes of ``torch.nn`` that have parameters."""

from __future__ import annotations

_SPATIAL = tuple(f"{name}{n}d" for name in ("Conv", "ConvTranspose", "BatchNorm") for n in (1, 2, 3))
WITH_PARAMETERS = (
    frozenset(_SPATIAL + tuple(f"Lazy{name}" for name in _SPATIAL))
    | {"Linear", "LazyLinear", "Bilinear", "PReLU", "GroupNorm", "LayerNorm", "RMSNorm"}
    | {"SyncBatchNorm", "Embedding", "EmbeddingBag", "MultiheadAttention"}
    | {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"}
)
