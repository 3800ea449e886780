# hydra: a configuration that is composed of files, and objects that a configuration describes.
import importlib
import os

from omegaconf import DictConfig, OmegaConf

_FOLDERS = ["."]


def main(*versions, config_path=None, config_name=None, version_base=None):
    def decorate(function):
        def run(args=None):
            return function(compose(config_name, folder=config_path or "."))

        return run

    return decorate


def initialize(*versions, config_path=None, job_name=None, version_base=None):
    _FOLDERS.append(config_path or ".")


initialize_config_dir = initialize


def compose(config_name=None, overrides=(), folder=None, **kwargs):
    config = OmegaConf.create(_composed(folder or _FOLDERS[-1], config_name))
    return OmegaConf.merge(config, OmegaConf.from_dotlist([text.lstrip("+") for text in overrides]))


def _composed(folder, name):
    own = __read_data__(os.path.join(folder, name if name.endswith(".yaml") else name + ".yaml"))
    parts = []
    for entry in own.pop("defaults", []):
        if entry == "_self_":
            parts.append(own)
        elif isinstance(entry, str):
            parts.append(_composed(folder, entry))
        else:
            for group, choice in entry.items():
                group = group.split(" ")[-1]
                if choice is not None:
                    parts.append({group: _composed(os.path.join(folder, group), choice)})
    return OmegaConf.merge(*parts) if own in parts else OmegaConf.merge(*parts, own)


def instantiate(config, *args, _recursive_=True, **kwargs):
    if isinstance(config, list):
        return [instantiate(item) for item in config]
    if not isinstance(config, dict):
        return config
    values = {key: instantiate(config[key]) if _recursive_ else config[key] for key in config}
    values.update(kwargs)
    if "_target_" not in values:
        return DictConfig(values)
    target = values.pop("_target_")
    for option in ("_partial_", "_convert_", "_recursive_"):
        values.pop(option, None)
    return (get_object(target) if isinstance(target, str) else target)(*args, **values)


call = instantiate


def get_object(path):
    owner, _, name = path.rpartition(".")
    return getattr(importlib.import_module(owner), name)


get_class = get_object
