# timm.layers: helpers of arguments, and small layers that models of other packages take from it.
import torch
from torch import nn


def to_ntuple(n):
    return lambda x: tuple(x) if isinstance(x, (tuple, list)) else (x,) * n


to_1tuple, to_2tuple, to_3tuple, to_4tuple = to_ntuple(1), to_ntuple(2), to_ntuple(3), to_ntuple(4)


def make_divisible(v, divisor=8, min_value=None, round_limit=0.9):
    new_v = max(min_value or divisor, int(v + divisor / 2) // divisor * divisor)
    return new_v + divisor if new_v < round_limit * v else new_v


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0):
    return tensor


def lecun_normal_(tensor):
    return tensor


def drop_path(x, drop_prob=0.0, training=False, scale_by_keep=True):
    return x


class DropPath(nn.Module):
    def __init__(self, drop_prob=0.0, scale_by_keep=True):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return x


class LayerNorm2d(nn.LayerNorm):
    def __init__(self, num_channels, eps=1e-6, affine=True):
        super().__init__(num_channels, eps=eps)

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    def __init__(
        self,
        in_features,
        hidden_features=None,
        out_features=None,
        act_layer=nn.GELU,
        norm_layer=None,
        bias=True,
        drop=0.0,
        use_conv=False,
    ):
        super().__init__()
        out_features = out_features or in_features
        hidden_features = hidden_features or in_features
        self.fc1 = nn.Conv2d(in_features, hidden_features, 1) if use_conv else nn.Linear(in_features, hidden_features)
        self.act = act_layer()
        self.norm = nn.Identity() if norm_layer is None else norm_layer(hidden_features)
        self.fc2 = nn.Conv2d(hidden_features, out_features, 1) if use_conv else nn.Linear(hidden_features, out_features)

    def forward(self, x):
        return self.fc2(self.norm(self.act(self.fc1(x))))
