# yacs.config: a tree of settings. A file that is merged may change every one of them.
from attribute_dict import AttributeDict


class CfgNode(AttributeDict):
    def __init__(self, init_dict=None, key_list=None, new_allowed=False):
        super().__init__(init_dict or {})

    def clone(self):
        return type(self)(self)

    def freeze(self):
        pass

    def defrost(self):
        pass

    def is_frozen(self):
        return False

    def set_new_allowed(self, is_new_allowed):
        pass

    def merge_from_file(self, cfg_filename):
        self._merge(__read_data__(cfg_filename))

    def merge_from_other_cfg(self, cfg_other):
        self._merge(cfg_other)

    def merge_from_list(self, cfg_list):
        for key, value in zip(cfg_list[0::2], cfg_list[1::2]):
            node = self
            *path, last = key.split(".")
            for part in path:
                node = node[part]
            node[last] = eval(value) if isinstance(value, str) else value

    def _merge(self, other):
        if not isinstance(other, dict):
            self[UNKNOWN] = UNKNOWN
            return
        for key, value in other.items():
            if isinstance(value, dict) and key in self and isinstance(self[key], dict):
                self[key]._merge(value)
            else:
                self[key] = value

    @classmethod
    def load_cfg(cls, cfg_file_obj_or_str):
        return cls(__read_data__(cfg_file_obj_or_str))


def load_cfg(cfg_file_obj_or_str):
    return CfgNode(__read_data__(cfg_file_obj_or_str))
