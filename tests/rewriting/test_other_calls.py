"""Other ways in which a file builds its models: calls that can be made again, and nothing that does more."""

from __future__ import annotations

from textwrap import dedent

import pytest

from convlint.rewriting.other_calls import other_calls

CLASSES = """\
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8, *, depth=1): ...

class Needs(nn.Module):
    def __init__(self, width): ...
"""


def found(text: str) -> set[str]:
    """The calls that are found in a file, besides ``Net()``, which is always one of them."""
    targets = other_calls("net.py", f"{CLASSES}\n{dedent(text)}\n")
    assert all(target.startswith("net.py:") for target in targets)
    calls = [target.removeprefix("net.py:") for target in targets]
    assert "Net()" in calls
    assert len(calls) == len(set(calls))
    return set(calls) - {"Net()"}


CALLED_WITH_LITERALS = {
    "a = Net(8, depth=2)": {"Net(8, depth=2)"},
    "a = Needs(width=(1, [2, -3], {'a': None}))": {"Needs(width=(1, [2, -3], {'a': None}))"},
    "Needs(8); Needs(8); Needs(9)": {"Needs(8)", "Needs(9)"},
    "def f(n):\n    return Needs(n), Needs(*n), Needs(**n), Needs(8)": {"Needs(8)"},
    "if __name__ == '__main__':\n    Needs(3)": {"Needs(3)"},
    "other.Needs(3); Unknown(3)": set(),
}


@pytest.mark.parametrize("text", CALLED_WITH_LITERALS)
def test_classes_are_called_with_the_literals_that_the_file_has(text: str) -> None:
    assert found(text) == CALLED_WITH_LITERALS[text]


FACTORIES = {
    "of no parameter": """
        def small():
            return Needs(len("four"))
        """,
    "of parameters with defaults": """
        def small(width=4, *, depth=2):
            return Needs(width * depth)
        """,
    "that gives a name": """
        def small(width=4):
            '''Of four.'''
            if width < 2:
                raise ValueError
            net: object = Needs(width)
            return net
        """,
    "that puts options together": """
        def small(width=4, **options):
            options.setdefault("depth", 3)
            return Needs(width, **options)
        """,
    "that can download, and does not unless it is told to": """
        def small(pretrained=False, weights=None):
            return _net(4, weights)

        def _net(width, weights):
            net = [Needs(width) for _ in range(3)][0]
            if weights:
                net.load_state_dict(load_state_dict_from_url(weights))
            return net
        """,
}


@pytest.mark.parametrize("name", FACTORIES)
def test_factories_are_called(name: str) -> None:
    assert found(FACTORIES[name]) == {"small()"}


NEVER = {
    "what needs an argument": """
        def small(width):
            return Needs(width)
        """,
    "what needs an argument by name": """
        def small(*, width):
            return Needs(width)
        """,
    "what is private": """
        def _small(width=4):
            return Needs(width)
        """,
    "what returns no call": """
        def small(width=4):
            return width + 1
        """,
    "what returns nothing": """
        def small():
            net = Net
        """,
    "a coroutine": """
        async def small(width=4):
            return Needs(width)
        """,
    "a generator": """
        def small(width=4):
            yield Needs(width)
        """,
    "what downloads unless it is told not to": """
        def small(pretrained=True):
            return Needs(pretrained)
        """,
    "what takes the best weights": """
        def small(*, weights="best"):
            return Needs(weights)
        """,
    "what downloads": """
        def small(url="https://"):
            state = load_state_dict_from_url(url)
            return Needs(state)
        """,
    "what asks a hub": """
        def small(name="net"):
            return torch.hub.load("some/where", name)
        """,
    "what prints": """
        def small(width=4):
            print(width)
            return Needs(width)
        """,
    "what loops": """
        def small(width=4):
            for _ in range(3):
                width += 1
            return Needs(width)
        """,
    "what waits": """
        def small(width=4):
            while width:
                width -= 1
            return Needs(width)
        """,
    "what opens files": """
        def small(path="width"):
            with open(path) as file:
                return Needs(file.read())
        """,
    "what imports": """
        def small(width=4):
            import os
            return Needs(width)
        """,
    "what changes a model": """
        def small(width=4):
            net = Needs(width)
            net.apply(initialise)
            return net
        """,
    "what trains": """
        def small(width=4):
            return train(Needs(width))
        """,
    "what trains in a function of the file": """
        def main(epochs=90):
            _run(Needs, epochs)
            return Needs(epochs)

        def _run(net, epochs):
            return _epochs(net, epochs)

        def _epochs(net, epochs):
            for _ in range(epochs):
                net(3).sum().backward()
        """,
    "what saves": """
        def small(path="net.pt"):
            net = Needs(path)
            return torch.save(net.state_dict(), path)
        """,
}


@pytest.mark.parametrize("name", NEVER)
def test_functions_that_do_more_than_build_are_never_called(name: str) -> None:
    assert found(NEVER[name]) == set()


def test_functions_that_call_each_other_come_to_an_end() -> None:
    text = """
        def one(n=3):
            return two(n)

        def two(n=3):
            return one(n)
        """
    assert found(text) == {"one()", "two()"}


def test_a_text_that_cannot_be_parsed_has_no_ways() -> None:
    assert other_calls("net.py", "def f(:\n") == []


def test_of_very_many_ways_some_from_all_parts_of_the_file_are_left() -> None:
    targets = other_calls("net.py", CLASSES + "".join(f"Needs({n})\n" for n in range(1000)))
    numbers = {int(target[len("net.py:Needs(") : -1]) for target in targets if "Needs" in target}
    assert 32 < len(numbers) <= len(targets) <= 64
    assert min(numbers) < 20
    assert max(numbers) > 980
