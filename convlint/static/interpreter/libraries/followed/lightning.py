# pytorch_lightning: a module that keeps the arguments of its constructor in ``hparams``.
from torch import nn

from attribute_dict import AttributeDict


class Hyperparameters(AttributeDict):
    def __getattr__(self, name):
        return self[name]


class HyperparametersMixin:
    def save_hyperparameters(self, *args, ignore=None, frame=None, logger=True):
        given = __names_of_caller__()
        if args and not isinstance(args[0], str):
            given = args[0] if isinstance(args[0], dict) else vars(args[0])
        elif args:
            given = {name: given[name] for name in args}
        dropped = [ignore] if isinstance(ignore, str) else ignore or []
        if not hasattr(self, "hparams"):
            self.hparams = Hyperparameters()
        self.hparams.update({name: value for name, value in given.items() if name not in dropped})


class LightningModule(HyperparametersMixin, nn.Module):
    _has_more_attributes = True


class LightningDataModule(HyperparametersMixin):
    _has_more_attributes = True
