"""The models in which mistakes are planted, of packages that are installed or downloaded once."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path

from bench import published
from bench.home_packages import Family

DOWNLOADED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convlint" / "published"


def _of(package: str, *calls: str, input: tuple[int, ...] = (3, 64, 64)) -> list[Family]:
    """Return families of calls such as ``resnet:resnet18()`` in a package of modules."""
    return [Family(f"{package}.{module}", call, input) for module, _, call in (each.partition(":") for each in calls)]


FAMILIES: tuple[Family, ...] = (
    *_of(
        "torchvision.models",
        *("vgg:vgg11_bn()", "resnet:resnet18()", "resnet:resnet50()", "densenet:densenet121()"),
        *("googlenet:googlenet(init_weights=False)", "mobilenetv2:mobilenet_v2()", "mnasnet:mnasnet1_0()"),
        *("mobilenetv3:mobilenet_v3_small()", "shufflenetv2:shufflenet_v2_x1_0()", "squeezenet:squeezenet1_0()"),
        *("efficientnet:efficientnet_b0()", "regnet:regnet_y_400mf()", "convnext:convnext_tiny()"),
    ),
    *_of("torchvision.models", "inception:inception_v3(init_weights=False)", input=(3, 96, 96)),
    *_of("torchvision.models.video", "resnet:r3d_18()", input=(3, 4, 32, 32)),
    *_of("timm.models", *("resnet:resnet26()", "densenet:densenet121()", "dla:dla34()", "vovnet:vovnet39a()")),
    *_of(
        "pytorchcv.models",
        *("resnet:resnet18()", "preresnet:preresnetbc14b()", "senet:senet16()", "densenet:densenet121()"),
        *("airnet:airnet50_1x64d_r16()", "cbamresnet:cbam_resnet18()", "bamresnet:bam_resnet18()", "dpn:dpn68()"),
        *("darknet53:darknet53()", "dla:dla34()", "drn:drnc26()", "ghostnet:ghostnet()", "hardnet:hardnet39ds()"),
        *("hrnet:hrnet_w18_small_v1()", "igcv3:igcv3_w1()", "mnasnet:mnasnet_b1()", "peleenet:peleenet()"),
        *("selecsls:selecsls42()", "shufflenetv2:shufflenetv2_w1()", "sknet:sknet50()", "squeezenext:sqnxt23_w1()"),
        *("vovnet:vovnet39()", "xdensenet:xdensenet121_2()", "ibnresnet:ibn_resnet50()"),
        input=(3, 224, 224),
    ),
    *_of("geffnet", "gen_efficientnet:efficientnet_b0()", "mobilenetv3:mobilenetv3_rw()"),
    *_of(
        "pretrainedmodels.models",
        *("senet:se_resnet50(pretrained=None)", "bninception:bninception(pretrained=None)"),
        *("dpn:dpn68(pretrained=None)", "fbresnet:fbresnet152(pretrained=None)"),
        input=(3, 224, 224),
    ),
    *_of("torchreid.reid.models", "osnet:osnet_x1_0(num_classes=9, pretrained=False)", input=(3, 64, 32)),
    *_of("torchreid.reid.models", "mlfn:mlfn(num_classes=9, pretrained=False)", input=(3, 64, 32)),
    *_of("resnest.torch", "resnest:resnest50()"),
    *_of("facenet_pytorch.models", "inception_resnet_v1:InceptionResnetV1()", input=(3, 96, 96)),
    *_of("segmentation_models_pytorch.decoders.unet", "model:Unet(encoder_weights=None)"),
    *_of("segmentation_models_pytorch.decoders.fpn", "model:FPN(encoder_weights=None)"),
)


_DISTRIBUTIONS = {
    "pytorchcv": "pytorchcv",
    "geffnet": "geffnet",
    "pretrainedmodels": "pretrainedmodels",
    "resnest": "resnest",
    "torchreid": "torchreid",
    "facenet_pytorch": "facenet-pytorch",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
}
"""The distribution of ``bench/published.txt`` that has a package which is not installed."""


@functools.cache
def folder(package: str) -> Path:
    """Return the folder that contains a package: an installed one, or one that is downloaded."""
    if package in _DISTRIBUTIONS:
        (name,) = published.downloaded(DOWNLOADED, [_DISTRIBUTIONS[package]])
        return next(path.parent for path in sorted((DOWNLOADED / name).rglob(package)))
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.parent
