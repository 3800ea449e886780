# easydict, addict, munch, box, ml_collections, mmengine: dicts whose items are attributes, nested ones too.


class AttributeDict(dict):
    def __init__(self, *args, **kwargs):
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __setitem__(self, key, value):
        dict.__setitem__(self, key, self._nested(value))

    def __setattr__(self, name, value):
        self[name] = value

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]

    def __delattr__(self, name):
        del self[name]

    def _nested(self, value):
        if type(value) is dict:
            return type(self)(value)
        if type(value) in (list, tuple):
            return type(value)([self._nested(item) for item in value])
        return value

    def update(self, *args, **kwargs):
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def copy(self):
        return type(self)(self)

    def to_dict(self):
        return dict(self)

    toDict = to_dict


class EasyDict(AttributeDict):
    def __init__(self, d=None, **kwargs):
        super().__init__(d or {}, **kwargs)


class Munch(AttributeDict):
    pass


DefaultMunch = Munch


def munchify(x):
    return Munch(x)


class Box(AttributeDict):
    pass


class Dict(AttributeDict):
    def __getattr__(self, name):
        if name not in self:
            self[name] = Dict()
        return self[name]

    def __getitem__(self, key):
        if key not in self:
            self[key] = Dict()
        return dict.__getitem__(self, key)


class ConfigDict(AttributeDict):
    def __init__(self, initial_dictionary=None, type_safe=True, convert_dict=True, **kwargs):
        super().__init__(initial_dictionary or {}, **kwargs)

    def lock(self):
        return self

    def unlock(self):
        return self

    def unlocked(self):
        return self

    def get_ref(self, key):
        return self[key]

    def copy_and_resolve_references(self):
        return type(self)(self)


FrozenConfigDict = ConfigDict


def config_dict_create(**kwargs):
    return ConfigDict(kwargs)


create = config_dict_create


def placeholder(field_type, required=False):
    return UNKNOWN
