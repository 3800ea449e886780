# argparse: the values that options have if a program is started without any.


class Namespace:
    def __init__(self, **kwargs):
        self.__dict__.update(kwargs)

    def __contains__(self, key):
        return key in self.__dict__


class _Actions:
    def __init__(self, options):
        self._options = options  # [default, type, action, nargs, const] by destination
        self._flags = {}

    def add_argument(self, *flags, dest=None, **kwargs):
        long = [flag for flag in flags if flag.startswith("--")]
        first = (long or flags)[0] if flags else "--" + dest
        name = dest or first.lstrip("-").replace("-", "_")
        action = kwargs.get("action", "store")
        kind = kwargs.get("type")
        nargs = kwargs.get("nargs")
        value = kwargs.get("default")
        if "default" not in kwargs and action in ("store_true", "store_false"):
            value = action == "store_false"
        if "default" not in kwargs and not first.startswith("-"):
            value = None if nargs == "?" else [] if nargs == "*" else UNKNOWN
        if kwargs.get("required", False) or ("default" in kwargs and value is SUPPRESS):
            value = UNKNOWN
        if isinstance(value, str) and kind is not None:
            value = kind(value)
        if action not in ("help", "version"):
            self._options.setdefault(name, value)  # the first option of a name has its default
        for flag in flags:
            self._flags[flag] = (name, action, kind, nargs, kwargs.get("const"))

    def add_argument_group(self, *args, **kwargs):
        return self

    def add_mutually_exclusive_group(self, **kwargs):
        return self

    def set_defaults(self, **kwargs):
        self._options.update(kwargs)

    def get_default(self, dest):
        return self._options.get(dest)


class _Commands:
    def __init__(self, parser, dest):
        self._parser = parser
        self._dest = dest
        self._parsers = {}
        parser._commands = self

    def add_parser(self, name, **kwargs):
        self._parsers[name] = ArgumentParser(**kwargs)
        return self._parsers[name]

    def choose(self, values, rest):
        """Add what the command's parser reads; without a command, that of the first one."""
        name = rest[0] if rest else next(iter(self._parsers), None)
        if self._dest is not None:
            values[self._dest] = name
        if name in self._parsers:
            values.update(self._parsers[name].parse_args(rest[1:]).__dict__)


class ArgumentParser(_Actions):
    def __init__(self, *args, parents=(), **kwargs):
        super().__init__({})
        self._commands = None
        for parent in parents:
            self._options.update(parent._options)
            self._flags.update(parent._flags)

    def add_subparsers(self, dest=None, **kwargs):
        return _Commands(self, dest)

    def parse_args(self, args=None, namespace=None):
        values = dict(self._options)
        rest = list(args or ())
        while rest and (self._commands is None or rest[0] not in self._commands._parsers):
            flag = rest.pop(0)
            attached = flag.split("=", 1) if flag.startswith("--") else [flag]
            name, action, kind, nargs, const = self._flags.get(attached[0], (UNKNOWN, None, None, UNKNOWN, None))
            if action in ("store_true", "store_false"):
                values[name] = action == "store_true"
            elif action == "store_const":
                values[name] = const
            elif nargs is None and action == "store":
                text = attached[1] if len(attached) > 1 else rest.pop(0)
                values[name] = text if kind is None else kind(text)
            elif nargs in ("+", "*"):
                values[name] = []
                while rest and not rest[0].startswith("-"):
                    text = rest.pop(0)
                    values[name].append(text if kind is None else kind(text))
            else:
                values[UNKNOWN] = UNKNOWN
        if self._commands is not None:
            self._commands.choose(values, rest)
        if namespace is None:
            return Namespace(**values)
        namespace.__dict__.update(values)
        return namespace

    def parse_known_args(self, args=None, namespace=None):
        return self.parse_args(args, namespace), UNKNOWN

    def parse_intermixed_args(self, args=None, namespace=None):
        return self.parse_args(args, namespace)


SUPPRESS = "==SUPPRESS=="
