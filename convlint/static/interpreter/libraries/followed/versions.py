"""Versions as tuples of their numbers."""


def parse(version):
    return tuple([int(part) for part in version.split("+")[0].split(".")[:3]])


Version = LooseVersion = StrictVersion = LegacyVersion = parse_version = parse
