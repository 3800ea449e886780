"""The models for ``bench.suggest``: one from each model file that has dense convolutions larger than 1x1 after the
stem, with the smallest input that works.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.runtime.net_list import NETS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """A model to rewrite. ``package`` is torchvision, timm, or "nets" for a model of the tests.

    ``file`` is relative to the folder of the package's models, ``call`` builds the model.
    """

    package: str
    file: str
    call: str
    inputs: tuple[Shape, ...] = ((3, 64, 64),)

    @property
    def name(self) -> str:
        """``package/file/function``, short enough for a table."""
        stem = str(Path(self.file).with_suffix(""))
        function = self.call.partition("(")[0]
        return f"{self.package}/{stem}" + ("" if function == stem else f":{function}")

    @property
    def path(self) -> str:
        """Return the path of the file in the project."""
        return self.file if self.package == "nets" else f"{self.package}/models/{self.file}"

    @property
    def target(self) -> str:
        """Return the target for a command."""
        return f"{self.path}:{self.call}"


def _of(package: str, *rows: tuple[str, str] | tuple[str, str, Shape]) -> tuple[Family, ...]:
    return tuple(Family(package, f"{row[0]}.py", row[1], *((r,) for r in row[2:])) for row in rows)


_SMALL = "weights_backbone=None, min_size=96, max_size=128"
_FEW = f"{_SMALL}, rpn_pre_nms_top_n_test=100, rpn_post_nms_top_n_test=20"
_KEPT = f"{_FEW}, box_score_thresh=0.0, box_detections_per_img=5"
"""Detection models scale their inputs; the number of detections must not depend on random weights."""

TORCHVISION = _of(
    "torchvision",
    ("alexnet", "alexnet"),
    ("vgg", "vgg11"),
    ("resnet", "resnet50"),
    ("squeezenet", "squeezenet1_1"),
    ("densenet", "densenet121"),
    ("googlenet", "googlenet(init_weights=False)"),
    ("inception", "inception_v3(init_weights=False)", (3, 96, 96)),
    ("efficientnet", "efficientnet_v2_s"),
    ("convnext", "convnext_tiny"),
    ("maxvit", "maxvit_t", (3, 224, 224)),
    ("segmentation/fcn", "fcn_resnet50(weights_backbone=None)"),
    ("segmentation/deeplabv3", "deeplabv3_resnet50(weights_backbone=None)"),
    ("detection/ssd", "ssd300_vgg16(weights_backbone=None)", (3, 300, 300)),
    ("detection/faster_rcnn", f"fasterrcnn_resnet50_fpn({_KEPT})", (3, 96, 96)),
    ("detection/mask_rcnn", f"maskrcnn_resnet50_fpn({_KEPT})", (3, 96, 96)),
    ("detection/keypoint_rcnn", f"keypointrcnn_resnet50_fpn({_KEPT})", (3, 96, 96)),
    ("detection/retinanet", f"retinanet_resnet50_fpn({_SMALL})", (3, 96, 96)),
    ("detection/fcos", f"fcos_resnet50_fpn({_SMALL})", (3, 96, 96)),
)
RAFT = Family("torchvision", "optical_flow/raft.py", "raft_small", ((3, 128, 128), (3, 128, 128)))

TIMM = _of(
    "timm",
    ("byobnet", "repvgg_a0"),
    ("convnext", "convnext_zepto_rms"),
    ("cspnet", "cs3darknet_s"),
    ("cspnext", "cspnext_tiny"),
    ("densenet", "densenet121"),
    ("dla", "dla46_c"),
    ("edgenext", "edgenext_xx_small"),
    ("efficientnet", "efficientnet_es"),
    ("fasternet", "fasternet_t0"),
    ("hgnet", "hgnetv2_b0"),
    ("hrnet", "hrnet_w18_small"),
    ("inception_resnet_v2", "inception_resnet_v2", (3, 96, 96)),
    ("inception_v3", "inception_v3", (3, 96, 96)),
    ("inception_v4", "inception_v4", (3, 96, 96)),
    ("levit", "levit_128s", (3, 224, 224)),
    ("mobilenetv3", "mobilenetv4_conv_small_050"),
    ("mobilevit", "mobilevit_xxs"),
    ("nfnet", "nf_resnet26"),
    ("pvt_v2", "pvt_v2_b0"),
    ("rdnet", "rdnet_tiny"),
    ("regnet", "regnetx_080"),
    ("repvit", "repvit_m0_9"),
    ("res2net", "res2net50_48w_2s"),
    ("resnest", "resnest14d"),
    ("resnet", "resnet10t"),
    ("resnetv2", "resnetv2_18"),
    ("selecsls", "selecsls42"),
    ("senet", "legacy_seresnet18"),
    ("sknet", "skresnet18"),
    ("starnet", "starnet_s050"),
    ("tresnet", "tresnet_m"),
    ("vgg", "vgg11"),
    ("visformer", "visformer_tiny", (3, 224, 224)),
    ("vovnet", "ese_vovnet19b_slim"),
    ("xception", "legacy_xception"),
    ("xception_aligned", "xception41"),
)

FAMILIES: tuple[Family, ...] = (
    *TORCHVISION,
    RAFT,
    *TIMM,
    *(Family("nets", net.file, net.name, (net.input,)) for net in NETS),
)
