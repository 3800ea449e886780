"""YAML as configurations use it, read as PyYAML reads it."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from convlint.support.yaml_text import YamlError, read

WORDS = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e6, 1e6, allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, True, False]), st.integers(2, 4))
def test_what_pyyaml_writes(value: object, flow: bool | None, indent: int) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, indent=indent, width=10_000, allow_unicode=True)
    if "? " not in text and "\n..." not in text:
        assert read(text) == value


DOCUMENTS = [
    "model:\n  name: resnet  # a comment\n  widths: [8, 16, 32]\n  blocks:\n  - type: A\n    args: [64, 'x', null]\n",
    "backbone:\n  # [from, number]\n  [[-1, 1, Conv, [64, 6, 2, 2]],  # 0-P1/2\n   [-1, 3, C3, [128]],\n  ]\n",
    "a: &x {b: 1, c: [1, 2]}\nd: *x\ne:\n  <<: *x\n  b: 2\n",
    "depth: 0.33\nwidth: .5\nsteps: 1_000\nlr: 1e-3\nlr2: 1.0e-3\noct: 010\nhex: 0x1F\nneg: -3\ninf: -.inf\n",
    "on: yes\nempty:\nnull_too: ~\ntext: 'it''s'\nurl: http://x.y/z#frag\nquoted: \"a: b # c\\n\"\n",
    "a: |\n  one\n  two\nb: >-\n  three\n  four\nc: 5\n",
    "- 1\n- - 2\n  - 3\n- a: b\n  c:\n  - d\n-\n  e: f\n",
    "---\na: 1\n",
    "",
    "3",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_documents(text: str) -> None:
    assert read(text) == yaml.safe_load(text)


EXPLODING = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcde", "bcdef", strict=True)
)
REFUSED = {
    "a tag that executes": "a: !!python/object/apply:os.system ['true']",
    "aliases that explode": EXPLODING,
    "a bracket that stays open": "a: [1, 2",
    "a quote that stays open": "a: 'x",
    "two documents": "a: 1\n---\nb: 2",
    "a value of two lines": "a: x\n  y\n",
    "a key inside a value": "a: b: c",
    "an alias of nothing": "a: *b",
    "brackets in brackets": "[" * 500 + "]" * 500,
    "lists in lists": "- " * 500 + "1",
    "a tab": "a:\n\tb: 1",
    "a mapping as a key": "{{}: 1}",
    "a list as a key in a list": "[[1]: 2]",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(YamlError, match=r"line \d|more than"):
        read(REFUSED[name])


@given(st.text(st.sampled_from("ab:-[]{},'\"#&*!|> \n01"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(YamlError):
        read(text)
