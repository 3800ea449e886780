# torch.nn: transformers, whose parts are layers that are followed. The sums around them change no shape.
import copy

from torch import nn


class TransformerEncoderLayer(nn.Module):
    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first)
        self.linear1 = nn.Linear(d_model, dim_feedforward, bias=bias)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias=bias)
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        x = self.norm1(src) if self.norm_first else src
        x = self.self_attn(x, x, x, need_weights=False)[0]
        return self._feed_forward(self.norm2(x)) if self.norm_first else self.norm2(self._feed_forward(self.norm1(x)))

    def _feed_forward(self, x):
        return self.linear2(self.dropout(nn.functional.relu(self.linear1(x))))


class TransformerDecoderLayer(TransformerEncoderLayer):
    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, *args, batch_first=False, **kwargs):
        kwargs["batch_first"] = args[2] if len(args) > 2 else batch_first
        super().__init__(d_model, nhead, dim_feedforward, dropout, **kwargs)
        self.multihead_attn = nn.MultiheadAttention(d_model, nhead, batch_first=kwargs["batch_first"])
        self.norm3 = nn.LayerNorm(d_model)

    def forward(self, tgt, memory, *args, **kwargs):
        x = self.norm1(tgt) if self.norm_first else tgt
        x = self.self_attn(x, x, x, need_weights=False)[0]
        x = self.norm2(x) if self.norm_first else self.norm1(x)
        x = self.multihead_attn(x, memory, memory, need_weights=False)[0]
        return self._feed_forward(self.norm3(x)) if self.norm_first else self.norm3(self._feed_forward(self.norm2(x)))


class TransformerEncoder(nn.Module):
    def __init__(self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True):
        super().__init__()
        self.layers = nn.ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        for layer in self.layers:
            src = layer(src, src_mask=mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(nn.Module):
    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self.layers = nn.ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(self, tgt, memory, *args, **kwargs):
        for layer in self.layers:
            tgt = layer(tgt, memory)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(nn.Module):
    def __init__(
        self,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation=None,
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        options = dict(batch_first=batch_first, norm_first=norm_first, bias=bias)
        layer = TransformerEncoderLayer(d_model, nhead, dim_feedforward, dropout, **options)
        self.encoder = custom_encoder or TransformerEncoder(layer, num_encoder_layers, nn.LayerNorm(d_model))
        layer = TransformerDecoderLayer(d_model, nhead, dim_feedforward, dropout, **options)
        self.decoder = custom_decoder or TransformerDecoder(layer, num_decoder_layers, nn.LayerNorm(d_model))
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(self, src, tgt, *args, **kwargs):
        return self.decoder(tgt, self.encoder(src))
