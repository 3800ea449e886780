"""Models and layers of torchvision, timm and mmcv that a program uses, compared with torchvision's own."""

from __future__ import annotations

import pytest
from torch import nn

from bench import zoo_models
from convlint.source_text.texts import SourceTexts
from convlint.static import CheckedFile, Project, check_file

HEAD = """\
import torch
from torch import nn
from torchvision import models, ops
from torchvision.models.resnet import BasicBlock, ResNet
from timm.layers import DropPath, LayerNorm2d, Mlp, to_2tuple
from mmcv.cnn import ConvModule, Scale, build_norm_layer, build_upsample_layer
from mmengine.registry import MODELS

"""
NAMES = ("resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "vgg11", "vgg16_bn")


def check(text: str) -> CheckedFile:
    data = (HEAD + text).encode()
    return check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))


def net(built: str, forward: str) -> CheckedFile:
    parameters = ", width=8" if "width" in built else ""
    lines = "\n".join(f"        {line}" for line in built.split("; "))
    text = f"class Net(nn.Module):\n    def __init__(self{parameters}):\n        super().__init__()\n{lines}\n"
    return check(f"{text}    def forward(self, x):\n        return {forward}\n")


def errors(result: CheckedFile) -> list[str]:
    return [finding.code for finding in result.findings if finding.severity == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_the_layers_of_torchvision(name: str) -> None:
    real = getattr(zoo_models.import_torchvision().models, name)()
    layers = [module for module in real.modules() if list(module.parameters(recurse=False))]
    last = [module for module in layers if isinstance(module, nn.Linear)][-1]
    found = net(f"self.net = models.{name}(weights=None); self.last = nn.Linear(1000, 2)", "self.last(self.net(x))")
    assert [(each.layers, each.is_complete) for each in found.coverage] == [(len(layers) + 1, True)]
    assert found.findings == ()
    replaced = "self.net.fc" if hasattr(real, "fc") else "self.net.classifier[6]"
    for width, codes in ((last.in_features, []), (last.in_features + 1, ["CVL108"])):
        built = f"self.net = models.{name}(pretrained=True); {replaced} = nn.Linear({width}, 2)"
        assert errors(net(built, "self.net(x)")) == codes


PARTS = {
    "children": (
        "self.body = nn.Sequential(*list(models.resnet18().children())[:-2]); self.head = nn.Conv2d({}, 9, 1)",
        "self.head(self.body(x))",
        512,
    ),
    "features": (
        "self.body = models.vgg16().features[:23]; self.head = nn.Conv2d({}, 9, 1)",
        "self.head(self.body(x))",
        512,
    ),
    "a stage": (
        "n = models.resnet50(); self.body = nn.Sequential(n.conv1, n.layer1); self.head = nn.Conv2d({}, 9, 1)",
        "self.head(self.body(x))",
        256,
    ),
    "a deformable convolution": (
        "self.a = ops.DeformConv2d(3, width, 3); self.o = nn.Conv2d(3, 18, 3); self.head = nn.Conv2d({}, 9, 1)",
        "self.head(self.a(x, self.o(x)))",
        "width",
    ),
    "a convolution with a norm": (
        "self.a = ops.Conv2dNormActivation(3, 16, 3, 2); self.head = nn.Conv2d({}, 9, 1)",
        "self.head(self.a(x))",
        16,
    ),
    "layers of timm": (
        (
            "self.a = nn.Conv2d(3, 16, to_2tuple(3)); self.n = LayerNorm2d(16); self.d = DropPath(0.1); "
            "self.m = Mlp(16, 64, use_conv=True); self.head = nn.Conv2d({}, 9, 1)"
        ),
        "self.head(self.m(self.d(self.n(self.a(x)))))",
        16,
    ),
    "layers of mmcv": (
        (
            "self.a = ConvModule(3, 16, 3, norm_cfg=dict(type='BN')); self.s = Scale(0); "
            "self.act = MODELS.build(dict(type='ReLU')); "
            "self.u = build_upsample_layer(dict(type='deconv'), 16, 24, 2, 2); "
            "self.head = nn.Conv2d({}, 9, 1)"
        ),
        "self.head(self.u(self.s(self.act(self.a(x)))))",
        24,
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_libraries_are_followed(name: str) -> None:
    built, forward, width = PARTS[name]
    found = net(built.format(width), forward)
    assert [each.is_complete for each in found.coverage] == [True]
    assert errors(found) == []
    assert errors(net(built.format(f"{width} + 1"), forward)) == ["CVL102"]


def test_norms_and_activations_that_a_caller_chooses_keep_the_shape() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, norm_cfg, act_cfg):
        super().__init__()
        self.a = ConvModule(3, 16, 3, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.name, self.norm = build_norm_layer(norm_cfg, 16)
        self.head = nn.Conv2d({}, 9, 1)
    def forward(self, x):
        return self.head(self.norm(self.a(x)))
"""
    assert check(text.format(16)).coverage[0].is_complete
    assert errors(check(text.format(24))) == ["CVL102"]


def test_a_class_derived_from_a_model() -> None:
    text = """
class Net(ResNet):
    def __init__(self):
        super().__init__(BasicBlock, [2, 2, 2, 2])
        del self.fc
        self.head = nn.Conv2d({}, 3, 1)
    def forward(self, x):
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return self.head(self.layer3(self.layer2(x)))
"""
    assert check(text.format(256)).coverage[0].is_complete
    assert errors(check(text.format(512))) == ["CVL102"]


def test_advice_about_the_layers_of_a_library_is_not_given() -> None:
    assert net("self.net = models.vgg16_bn()", "self.net(x)").findings == ()
