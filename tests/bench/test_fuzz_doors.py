"""Whatever a user, a file or a worker hands to convlint, it is read, or refused in words: texts near those that should
come in, and any bytes. ``python -m bench.fuzz --seconds 3600`` goes on for an hour.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz_doors import DOORS, WORDS, Door, changed, enter

ROOT = Path(__file__).parents[2]
EXAMPLES = 150  # a door


def texts(door: Door) -> st.SearchStrategy[bytes]:
    """Texts near the examples of a door, and any others."""
    by = st.sampled_from(WORDS) | st.binary(max_size=4)
    edit = st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 2, 5, 20]), by)
    near = st.builds(changed, st.sampled_from(door.examples), st.lists(edit, max_size=6))
    return near | st.binary(max_size=60)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_what_comes_in_is_read_or_refused(name: str) -> None:
    door = DOORS[name]
    found = set()

    @settings(max_examples=EXAMPLES, deadline=5000, suppress_health_check=list(HealthCheck))
    @given(texts(door))
    def each(data: bytes) -> None:
        found.add(enter(door, data))

    each()
    assert found


@pytest.mark.parametrize("name", sorted(set(DOORS) - {"cache"}))
def test_the_examples_come_in(name: str) -> None:
    door = DOORS[name]
    assert {enter(door, text) for text in door.examples} - {"refused"}


# --- texts that were not met once


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings", b"exclude = " + b"[" * 3000),
        ("settings", b"fail-on = " + b"9" * 5000),
        ("target", b"net.py:Net(" + b"-" * 3000 + b"1)"),
        ("target", b"net.py:Net(a=" + b"(" * 300 + b")"),
        ("input", b"3," + b"9" * 5000),
        ("quantity", b"9" * 5000),
        ("quantity", b"9" * 400 + b"T"),
        ("sweep", b'{"target": "net.py:Net"}\n'),
        ("sweep", b"[" * 3000 + b"\n"),
        ("answer", b'[null, [["exit", "over"]], 3, 4, 5, 6, 7]'),
    ],
)
def test_it_is_refused(name: str, text: bytes) -> None:
    assert enter(DOORS[name], text) == "refused"


def test_comments_in_a_file_that_is_no_text() -> None:
    assert enter(DOORS["comments"], b"x = 1\n# \xe9\n") == "same"


def test_a_string_at_the_end_whose_last_line_looks_like_a_comment() -> None:
    assert enter(DOORS["comments"], b"x = '''\n# '''") == "changed"


# --- nothing is evaluated

GUARDED = """
    import sys
    from convlint.settings import input_shapes, targets
    from convlint.support.errors import UsageError

    FORBIDDEN = ("exec", "import", "open", "os.", "subprocess.", "socket.", "ctypes.", "shutil.", "marshal.", "pickle.")
    armed = False

    def watch(event, arguments):
        if armed and event.startswith(FORBIDDEN) and event != "os.listdir":
            raise SystemError(f"{event} {arguments}")

    def parse(text):
        for read in (targets.parse_pattern, targets.parse_target, input_shapes.parse_input):
            try:
                found = read(text)
                if isinstance(found, targets.Target):
                    found.arguments()
            except (UsageError, LookupError):  # a name: there is no module here
                pass

    texts = [bytes.fromhex(line).decode(errors="surrogateescape") for line in sys.stdin]
    for text in texts:  # what is loaded when needed is loaded now
        parse(text)
    sys.addaudithook(watch)
    armed = True
    for text in texts:
        parse(text)
    armed = False
    print(len(texts))
"""
EVIL = (
    "net.py:Net(__import__('os').system('touch evil'))",
    "net.py:Net(*[open('evil', 'w')])",
    "net.py:Net(**eval('{}'))",
    "net.py:Net(a := exec('x'))",
    "net.py:Net((lambda: open('evil', 'w'))())",
    "net.py:Net(f'{open(chr(101), chr(119))}')",
    "net.py:Net([x for x in open('evil', 'w')])",
    "net.py:Net(a=(yield)) or open('evil', 'w')",
    "net.py:Net(1)\nopen('evil', 'w')",
    "net.py:Net('a' 'b', b'c', {1: {2, 3}}, -1j, not open)",
    "timm:x*(open('evil', 'w'))",
    "open('evil', 'w')=3,3",
)


@pytest.mark.slow
def test_arguments_are_parsed_and_never_evaluated(tmp_path: Path) -> None:
    """An audit hook sees everything that runs code, loads modules or opens files while arguments are parsed."""
    from random import Random

    from bench.fuzz_doors import near

    near_evil = [near(Random(n), [text.encode() for text in EVIL]) for n in range(3000)]
    texts = [*(text.encode() for text in EVIL), *near_evil]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", dedent(GUARDED)],
        input="\n".join(text.replace(b"\0", b"").hex() for text in texts),
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert int(done.stdout) == len(texts)
    assert list(tmp_path.iterdir()) == []
