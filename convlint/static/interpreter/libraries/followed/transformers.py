# transformers: a configuration that holds what it is given, and a model that holds its configuration.
from torch import nn


class PretrainedConfig:
    _has_more_attributes = True

    def __init__(self, **kwargs):
        self.__dict__.update(kwargs)

    def to_dict(self):
        return dict(self.__dict__)

    def update(self, config_dict):
        self.__dict__.update(config_dict)

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        return cls(**config_dict, **kwargs)


PreTrainedConfig = PretrainedConfig


class PreTrainedModel(nn.Module):
    _has_more_attributes = True

    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        self.config = config

    def post_init(self):
        pass

    init_weights = post_init
    tie_weights = post_init

    def gradient_checkpointing_enable(self, *args, **kwargs):
        pass
