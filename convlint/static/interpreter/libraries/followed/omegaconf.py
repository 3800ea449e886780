# omegaconf: trees of settings, from dicts, dataclasses and files. A value that ${...} is only a part of is not known.
from dataclasses import asdict, is_dataclass

from attribute_dict import AttributeDict


class DictConfig(AttributeDict):
    def __init__(self, content=None, **kwargs):
        super().__init__(content or {})

    def __getitem__(self, key):
        value = dict.__getitem__(self, key)
        if isinstance(value, DictConfig):
            object.__setattr__(value, "_parent", self)
        return self._resolved(value) if isinstance(value, str) and "${" in value else value

    def _resolved(self, text):
        path = text[2:-1]
        if not text.startswith("${") or not text.endswith("}") or "${" in path or ":" in path or path.startswith("."):
            return UNKNOWN
        node = self
        while "_parent" in node.__dict__:
            node = node.__dict__["_parent"]
        for part in path.split("."):
            node = node[part] if isinstance(node, dict) and part in node else UNKNOWN
        return node

    def __getattr__(self, name):
        return self[name] if name in self else None

    def get(self, key, default_value=None):
        return self[key] if key in self else default_value


def ListConfig(content=(), **kwargs):
    return list(content)


class OmegaConf:
    @staticmethod
    def create(obj=None, parent=None, flags=None):
        if isinstance(obj, str):
            obj = __read_text__(obj)
        if isinstance(obj, (list, tuple)):
            return [OmegaConf.create(item) if isinstance(item, dict) else item for item in obj]
        return OmegaConf.structured(obj) if is_dataclass(obj) else DictConfig(obj)

    @staticmethod
    def structured(obj, parent=None, flags=None):
        return DictConfig(asdict(obj() if isinstance(obj, type) else obj))

    @staticmethod
    def load(file_):
        return OmegaConf.create(__read_data__(file_))

    @staticmethod
    def merge(*configs):
        merged = DictConfig()
        for config in configs:
            OmegaConf._merge(merged, config if isinstance(config, dict) else OmegaConf.create(config))
        return merged

    @staticmethod
    def _merge(target, config):
        for key, value in config.items():
            if isinstance(value, dict) and key in target and isinstance(target[key], dict):
                OmegaConf._merge(target[key], value)
            else:
                target[key] = value

    unsafe_merge = merge

    @staticmethod
    def to_container(cfg, resolve=False, **kwargs):
        if isinstance(cfg, dict):
            return {key: OmegaConf.to_container(value) for key, value in cfg.items()}
        return [OmegaConf.to_container(item) for item in cfg] if isinstance(cfg, list) else cfg

    @staticmethod
    def to_object(cfg):
        return OmegaConf.to_container(cfg)

    @staticmethod
    def select(cfg, key, default=None):
        for part in key.split("."):
            cfg = cfg[part] if part in cfg else default
        return cfg

    @staticmethod
    def update(cfg, key, value=None, **kwargs):
        *path, last = key.split(".")
        for part in path:
            cfg = cfg[part]
        cfg[last] = value

    @staticmethod
    def from_dotlist(dotlist):
        cfg = DictConfig()
        for item in dotlist:
            key, value = item.split("=", 1)
            *path, last = key.split(".")
            node = cfg
            for part in path:
                node = node.setdefault(part, DictConfig())
            node[last] = __read_text__(value)
        return cfg

    @staticmethod
    def from_cli(args_list=None):
        return OmegaConf.from_dotlist(args_list or [])

    @staticmethod
    def is_config(obj):
        return isinstance(obj, DictConfig)

    is_dict = is_config

    @staticmethod
    def is_list(obj):
        return isinstance(obj, list)

    @staticmethod
    def set_struct(conf, value):
        pass

    set_readonly = set_struct

    @staticmethod
    def resolve(cfg):
        pass

    @staticmethod
    def to_yaml(cfg, **kwargs):
        return UNKNOWN
