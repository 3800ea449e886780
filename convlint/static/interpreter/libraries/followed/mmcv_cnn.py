# mmcv.cnn: a convolution with norm and activation, and layers by the name of their type. Norms and activations keep the
# shape of their input, also those that a caller chooses.
import torch
from torch import nn

_CONVS = {"Conv": nn.Conv2d, "Conv1d": nn.Conv1d, "Conv2d": nn.Conv2d, "Conv3d": nn.Conv3d}
_NORMS = {
    "BN": nn.BatchNorm2d,
    "BN1d": nn.BatchNorm1d,
    "BN2d": nn.BatchNorm2d,
    "BN3d": nn.BatchNorm3d,
    "SyncBN": nn.SyncBatchNorm,
}
_ACTIVATIONS = {
    "ReLU": nn.ReLU,
    "LeakyReLU": nn.LeakyReLU,
    "PReLU": nn.PReLU,
    "ReLU6": nn.ReLU6,
    "ELU": nn.ELU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Swish": nn.SiLU,
    "HSwish": nn.Hardswish,
}


def build_conv_layer(cfg, *args, **kwargs):
    options = dict(type="Conv2d") if cfg is None else dict(cfg)
    kind = options.pop("type")
    return _CONVS[kind](*args, **kwargs, **options)


def build_norm_layer(cfg, num_features, postfix=""):
    if not isinstance(cfg, dict):
        return "norm" + str(postfix), nn.Identity()
    options = dict(cfg)
    kind = options.pop("type")
    options.pop("requires_grad", None)
    name = "bn" + str(postfix)
    if kind == "GN":
        return "gn" + str(postfix), nn.GroupNorm(num_channels=num_features, **options)
    if kind == "LN":
        return "ln" + str(postfix), nn.LayerNorm(num_features, **options)
    return name, _NORMS[kind](num_features, **options)


def build_activation_layer(cfg):
    if not isinstance(cfg, dict):
        return nn.Identity()
    options = dict(cfg)
    kind = options.pop("type")
    return _ACTIVATIONS[kind]()


class ConvModule(nn.Module):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias="auto",
        conv_cfg=None,
        norm_cfg=None,
        act_cfg=dict(type="ReLU"),
        inplace=True,
        with_spectral_norm=False,
        padding_mode="zeros",
        order=("conv", "norm", "act"),
    ):
        super().__init__()
        self.order = order
        self.with_norm = isinstance(norm_cfg, dict)
        self.with_activation = isinstance(act_cfg, dict)
        if bias == "auto":
            bias = not self.with_norm
        self.conv = build_conv_layer(
            conv_cfg,
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.bn = None
        if self.with_norm:
            is_before = order.index("norm") < order.index("conv")
            self.bn = build_norm_layer(norm_cfg, in_channels if is_before else out_channels)[1]
        self.activate = build_activation_layer(act_cfg) if self.with_activation else None

    @property
    def norm(self):
        return self.bn

    def forward(self, x, activate=True, norm=True):
        for layer in self.order:
            if layer == "conv":
                x = self.conv(x)
            elif layer == "norm" and norm and self.bn is not None:
                x = self.bn(x)
            elif layer == "act" and activate and self.activate is not None:
                x = self.activate(x)
        return x


class DepthwiseSeparableConvModule(nn.Module):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        norm_cfg=None,
        act_cfg=dict(type="ReLU"),
        dw_norm_cfg="default",
        dw_act_cfg="default",
        pw_norm_cfg="default",
        pw_act_cfg="default",
        **kwargs,
    ):
        super().__init__()
        self.depthwise_conv = ConvModule(
            in_channels,
            in_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            in_channels,
            norm_cfg=norm_cfg if dw_norm_cfg == "default" else dw_norm_cfg,
            act_cfg=act_cfg if dw_act_cfg == "default" else dw_act_cfg,
            **kwargs,
        )
        self.pointwise_conv = ConvModule(
            in_channels,
            out_channels,
            1,
            norm_cfg=norm_cfg if pw_norm_cfg == "default" else pw_norm_cfg,
            act_cfg=act_cfg if pw_act_cfg == "default" else pw_act_cfg,
            **kwargs,
        )

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


class Scale(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x * self.scale


class DropPath(nn.Module):
    def __init__(self, drop_prob=0.1):
        super().__init__()

    def forward(self, x):
        return x


def build_dropout(cfg, default_args=None):
    return DropPath()


def build_padding_layer(cfg, padding):
    paddings = {"zero": nn.ZeroPad2d, "reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d}
    return paddings[cfg["type"]](padding)


def build_upsample_layer(cfg, *args, **kwargs):
    options = {**cfg, **kwargs}
    kind = options.pop("type")
    if kind == "deconv":
        return nn.ConvTranspose2d(*args, **options)
    if kind in ("nearest", "bilinear"):
        return nn.Upsample(scale_factor=options.get("scale_factor"), mode=kind)
    return PixelShufflePack(*args, **options)


class PixelShufflePack(nn.Module):
    def __init__(self, in_channels, out_channels, scale_factor, upsample_kernel):
        super().__init__()
        self.upsample_conv = nn.Conv2d(
            in_channels, out_channels * scale_factor * scale_factor, upsample_kernel, padding=(upsample_kernel - 1) // 2
        )
        self.scale_factor = scale_factor

    def forward(self, x):
        return nn.functional.pixel_shuffle(self.upsample_conv(x), self.scale_factor)


LAYERS = {**_CONVS, **_NORMS, **_ACTIVATIONS, "GN": nn.GroupNorm, "LN": nn.LayerNorm, "DropPath": DropPath}
