# mmcv.cnn: a convolution with norm and activation, and layers by the name of their type.
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
        if bias == "auto":
            bias = norm_cfg is None
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
        if norm_cfg is not None:
            is_before = order.index("norm") < order.index("conv")
            self.bn = build_norm_layer(norm_cfg, in_channels if is_before else out_channels)[1]
        self.activate = None if act_cfg is None else build_activation_layer(act_cfg)

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
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
        )
        self.pointwise_conv = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))
