"""Measurements that take too long for the tests; each program writes its table into docs/."""
