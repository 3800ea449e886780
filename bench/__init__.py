"""Measurements that are too long for the tests; each writes its table into docs/."""
