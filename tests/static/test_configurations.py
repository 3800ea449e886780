"""Configuration objects of libraries in static analysis: each program computes a number ``n`` that has to be 3."""

from __future__ import annotations

import pytest

from tests.static.test_python import HEAD, expect_one_bug, findings_in, right, wrong

NUMBERS = {
    "easydict": (
        "from easydict import EasyDict as edict\nC = edict()\nC.model = edict(w=9)\nC.model.w = <3|4>\nn = C['model'].w"
    ),
    "nested dicts in easydict": "from easydict import EasyDict\nn = EasyDict({'a': {'b': [{'w': <3|4>}]}}).a.b[0].w",
    "addict": "from addict import Dict\ncfg = Dict()\ncfg.model.w = <3|4>\nn = cfg.model.w",
    "munch": "from munch import Munch, munchify\nn = munchify({'a': {'w': <3|4>}}).a.w",
    "yacs": (
        "from yacs.config import CfgNode as CN\n_C = CN()\n_C.MODEL = CN()\n_C.MODEL.W = 9\n_C.MODEL.W = <3|4>\n"
        "def get_cfg_defaults(): return _C.clone()\ncfg = get_cfg_defaults()\ncfg.freeze()\nn = cfg.MODEL.W"
    ),
    "yacs with a list of changes": (
        "from yacs.config import CfgNode as CN\n_C = CN(dict(MODEL=dict(W=9)))\ncfg = _C.clone()\n"
        "cfg.merge_from_list(['MODEL.W', <3|4>])\nn = cfg.MODEL.W"
    ),
    "omegaconf": (
        "from omegaconf import OmegaConf\na = OmegaConf.create({'m': {'w': 9, 'd': 1}})\n"
        "b = OmegaConf.merge(a, {'m': {'w': <3|4>}})\nn = b.m.w * b['m'].d"
    ),
    "omegaconf of a dataclass": (
        "from dataclasses import dataclass\nfrom omegaconf import OmegaConf\n@dataclass\nclass C:\n    w: int = <3|4>\n"
        "n = OmegaConf.structured(C).w"
    ),
    "omegaconf as a dict": (
        "from omegaconf import OmegaConf\ncfg = OmegaConf.create({'a': [{'w': <3|4>}]})\n"
        "n = OmegaConf.to_container(cfg)['a'][0]['w']"
    ),
    "ml_collections": (
        "import ml_collections\ndef get_config():\n    c = ml_collections.ConfigDict()\n"
        "    c.model = ml_collections.ConfigDict()\n    c.model.w = <3|4>\n    return c\nn = get_config().model.w"
    ),
    "transformers": (
        "from transformers import PretrainedConfig\nclass C(PretrainedConfig):\n"
        "    def __init__(self, w=<3|4>, **kwargs):\n        self.w = w\n        super().__init__(**kwargs)\n"
        "n = C(a=1).w * C(a=1).a"
    ),
    "fields with defaults": (
        "from dataclasses import dataclass, field\n@dataclass\nclass C:\n    a: int\n"
        "    w: list = field(default_factory=lambda: [<3|4>])\n    b: int = field(init=False, default=1)\n"
        "    def __post_init__(self): self.n = self.w[0] * self.b\nn = C(1).n"
    ),
    "a field that is replaced": (
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass C:\n    w: int = 9\n    a: int = 1\n"
        "n = dataclasses.asdict(dataclasses.replace(C(), w=<3|4>))['w']"
    ),
    "pydantic": (
        "from pydantic import BaseModel, Field\nclass C(BaseModel):\n    w: int = 9\n    v: int = Field(1, gt=0)\n"
        "c = C().model_copy(update={'w': <3|4>})\nn = c.model_dump()['w'] * c.v"
    ),
    "attrs": "import attr\n@attr.s\nclass C:\n    a = attr.ib()\n    w = attr.ib(default=<3|4>)\nn = C(1).w",
    "a named tuple": (
        "from collections import namedtuple\nC = namedtuple('C', 'a w', defaults=(<3|4>,))\na, n = C(1)\nn = C(1)[1]"
    ),
    "a named tuple of a class": (
        "from typing import NamedTuple\nclass C(NamedTuple):\n    a: int\n    w: int = 9\nn = C(1)._replace(w=<3|4>).w"
    ),
    "a default dict": (
        "from collections import defaultdict\nd = defaultdict(list)\nd['a'].append(<3|4>)\nn = d['a'][0]"
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    expect_one_bug(f"{HEAD}{NUMBERS[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))  # CVL102\n")


UNKNOWN = {
    "a file merged into yacs": (
        "from yacs.config import CfgNode as CN\n_C = CN()\n_C.W = 4\ncfg = _C.clone()\n"
        "cfg.merge_from_file(what)\nn = cfg.W"
    ),
    "an interpolation": "from omegaconf import OmegaConf\nn = OmegaConf.create({'w': '${other}'}).w",
    "a placeholder": (
        "import ml_collections as ml\nc = ml.ConfigDict({'w': 4})\nc.w = ml.config_dict.placeholder(int)\nn = c.w"
    ),
    "an attribute of the library": "from transformers import PretrainedConfig\nn = PretrainedConfig(w=4).hidden_size",
    "a field without a default": (
        "from pydantic import BaseModel, Field\nclass C(BaseModel):\n    w: int = Field(...)\nn = C().w"
    ),
    "a field that a validator may change": (
        "from pydantic import BaseModel, validator\nclass C(BaseModel):\n    w: int = 4\n"
        "    @validator('w')\n    def narrow(cls, v): return 3\nn = C(w=4).w"
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_reported(name: str) -> None:
    assert findings_in(f"{HEAD}{UNKNOWN[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))\n") == []


HPARAMS = """
import {library} as pl
class Net(pl.LightningModule):
    def __init__(self, width=16, lr=1e-3, **kwargs):
        super().__init__()
        self.save_hyperparameters({args})
        self.a = nn.Conv2d(3, self.hparams.width, 3)
        self.b = nn.Conv2d(self.hparams["width"]<|* 2>, 5, 3)  # CVL102
    def forward(self, x):
        self.log("loss", 1)
        return self.b(self.a(x).relu())
"""


@pytest.mark.parametrize("args", ["", "'width'", "ignore=['lr']", "ignore='lr'", "dict(width=8)"])
@pytest.mark.parametrize("library", ["pytorch_lightning", "lightning", "lightning.pytorch"])
def test_lightning_keeps_the_arguments(library: str, args: str) -> None:
    expect_one_bug(HEAD + HPARAMS.format(library=library, args=args))


OWN_DEFAULTS = """
class Net(nn.Module):
    def __init__(self, base=10, times=<1|3>):
        super().__init__()
        self.a = nn.Conv2d(3, base * times, 3)
        self.b = nn.Conv2d(base, 4, 3)
    def forward(self, x): return self.b(self.a(x))
"""


def test_a_class_that_fails_for_its_own_defaults() -> None:
    found = findings_in(HEAD + wrong(OWN_DEFAULTS))
    assert ("CVL102", 8) in found or ("CVL102", 9) in found  # nothing says which of the two numbers is wrong


def test_a_class_that_only_fails_for_other_arguments_than_its_defaults() -> None:
    assert "CVL102" not in [code for code, _ in findings_in(HEAD + right(OWN_DEFAULTS))]
