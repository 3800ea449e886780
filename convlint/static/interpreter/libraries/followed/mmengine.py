# mmengine and mmcv: registries that build what a dict describes, and modules that know how to initialize themselves.
from torch import nn

from attribute_dict import AttributeDict
from mmcv_cnn import LAYERS


class ConfigDict(AttributeDict):
    def __getattr__(self, name):
        return self[name] if name in self else None


class Config(ConfigDict):
    @staticmethod
    def fromfile(filename, *args, **kwargs):
        return Config(__read_data__(filename))


class Registry:
    def __init__(self, name=None, build_func=None, parent=None, scope=None, locations=(), content=None):
        self._module_dict = dict(content or {})
        self._parent = parent
        self._build = build_func

    def register_module(self, name=None, force=False, module=None):
        if module is not None:
            return self._file(module, name)
        if name is not None and not isinstance(name, (str, list)):
            return self._file(name, None)
        return lambda cls: self._file(cls, name)

    def _file(self, cls, name):
        for each in [name or cls.__name__] if not isinstance(name, list) else name:
            self._module_dict[each] = cls
        return cls

    def get(self, key):
        if key in self._module_dict or self._parent is None:
            return self._module_dict.get(key)
        return self._parent.get(key)

    def __contains__(self, key):
        return key in self._module_dict

    def __len__(self):
        return len(self._module_dict)

    @property
    def module_dict(self):
        return self._module_dict

    def build(self, cfg, *args, **kwargs):
        if self._build is not None:
            return self._build(cfg, *args, **kwargs, registry=self)
        return build_from_cfg(cfg, self, *args, **kwargs)


def build_from_cfg(cfg, registry, default_args=None):
    args = dict(cfg)
    for key, value in (default_args or {}).items():
        args.setdefault(key, value)
    kind = args.pop("type")
    return (registry.get(kind) if isinstance(kind, str) else kind)(**args)


build_model_from_cfg = build_from_cfg
MODELS = Registry("model", content=LAYERS)


class BaseModule(nn.Module):
    _has_more_attributes = True

    def __init__(self, init_cfg=None):
        super().__init__()
        self.init_cfg = init_cfg

    def init_weights(self):
        pass


class BaseModel(BaseModule):
    def __init__(self, data_preprocessor=None, init_cfg=None):
        super().__init__(init_cfg)


class Sequential(BaseModule, nn.Sequential):
    def __init__(self, *args, init_cfg=None):
        nn.Sequential.__init__(self, *args)


class ModuleList(BaseModule, nn.ModuleList):
    def __init__(self, modules=None, init_cfg=None):
        nn.ModuleList.__init__(self, modules)


class ModuleDict(BaseModule, nn.ModuleDict):
    def __init__(self, modules=None, init_cfg=None):
        nn.ModuleDict.__init__(self, modules)
