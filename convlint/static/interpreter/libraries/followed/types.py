# types: an object with the attributes that it is given.


class SimpleNamespace:
    def __init__(self, mapping=(), /, **kwargs):
        self.__dict__.update(dict(mapping))
        self.__dict__.update(kwargs)
