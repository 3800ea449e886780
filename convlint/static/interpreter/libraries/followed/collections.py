# collections: dicts with a default, and lists with two ends.


class defaultdict(dict):
    def __init__(self, default_factory=None, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.default_factory = default_factory

    def __getitem__(self, key):
        if key not in self and self.default_factory is not None:
            self[key] = self.default_factory()
        return dict.__getitem__(self, key)


class Counter(dict):
    def __init__(self, iterable=(), **kwargs):
        for item in iterable:
            self[item] = self.get(item, 0) + 1

    def __getitem__(self, key):
        return dict.__getitem__(self, key) if key in self else 0


class deque(list):
    def __init__(self, iterable=(), maxlen=None):
        super().__init__(iterable)

    def popleft(self):
        return self.pop(0)

    def appendleft(self, item):
        self.insert(0, item)
