"""Entry points through which a user, a file or a worker passes text to convlint, each with examples of valid text.

An entry point returns one word for its result. Any exception is a bug in convlint.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from convlint.cli import sweep as sweep_command
from convlint.cli.render import encode
from convlint.findings import baseline, compare, suppressions
from convlint.ir import Finding, Fix, Graph, Problem, Report, Site, serialize
from convlint.outputs import formats, renderer
from convlint.outputs.suggestions import markdown, text
from convlint.pipelines import sweep
from convlint.pipelines.cache import Cache, Checked
from convlint.rules.codes import codes as all_codes
from convlint.runtime.worker.client import JobResult
from convlint.settings import config, input_shapes, targets
from convlint.settings.jobs import Job
from convlint.source_text.texts import SourceTexts
from convlint.support import quantities
from convlint.support.errors import UsageError

_FINDING = Finding("CVL301", "bias-before-norm", "warning", "it has no effect", Site("a.py", 1, 1, 2, 3))
_JOB = Job(targets.parse_target("net.py:Net"))


@dataclass(frozen=True)
class Door:
    """``enter`` processes the input in an empty folder; ``examples`` are valid inputs."""

    enter: Callable[[bytes], str]
    examples: tuple[bytes, ...]


def _refused(parse: Callable[[], object], refusals: tuple[type[Exception], ...] = (UsageError,)) -> str:
    """Return ``read`` or ``refused``."""
    try:
        parse()
    except refusals:
        return "refused"
    return "read"


def _word(data: bytes) -> str:
    """Decode a command-line argument as Python does."""
    return data.decode(errors="surrogateescape").replace("\0", "")


def _put(name: str, data: bytes) -> str:
    Path(name).write_bytes(data)
    return name


# --- texts similar to the examples


WORDS = (
    *(b"", b"[", b"]", b"{", b"}", b"(", b")", b'"', b"'", b",", b":", b"=", b"#", b"\\", b"\n", b"\r"),
    *(b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"\xff", b"\x00", b"\xef\xbb\xbf"),
    *(b"9" * 5000, b"[" * 3000, b"(" * 300, b"\xed\xa0\x80", "\u202eé漢😀".encode(), b"**", b"__import__('os')"),
)  # fmt: skip


def changed(text: bytes, edits: Sequence[tuple[float, int, bytes]]) -> bytes:
    """Return a text with parts replaced: each at a relative position from 0 to 1, with a length, by other bytes."""
    for place, length, by in edits:
        start = int(place * len(text))
        text = text[:start] + by + text[start + length :]
    return text


def near(random: Random, examples: Sequence[bytes]) -> bytes:
    """Return a random text similar to one of the examples."""
    edits = []
    for _ in range(random.choice([1, 1, 2, 3, 6])):
        kind = random.random()
        by = random.choice(WORDS) if kind < 0.6 else random.randbytes(random.randrange(4))
        edits.append((random.random(), random.choice([0, 0, 1, 2, 5, 20]), by))
    return changed(random.choice(examples), edits)


# --- text from users


def _target(data: bytes) -> str:
    # Names are not looked up here: no module is imported, and ``arguments`` refuses them with LookupError.
    word = _word(data)
    _refused(lambda: targets.parse_pattern(word))
    return _refused(lambda: targets.parse_target(word).arguments(), (UsageError, LookupError))


def _quantity(data: bytes) -> str:
    word = _word(data)
    _refused(lambda: quantities.parse_bytes(word, "--max-memory"))
    return _refused(lambda: quantities.parse_count(word, "--max-params"))


def _comments(data: bytes) -> str:
    path = _put("a.py", data)
    suppressions.suppresses(data, _FINDING)
    for unused in suppressions.unused(path, data, [_FINDING], ("CVL301", "CVL201")):
        assert isinstance(unused.fix, Fix)
    after, count = suppressions.add_noqa(data, [_FINDING])
    assert (after == data) or count
    return "changed" if count else "same"


def _settings(name: str) -> Callable[[bytes], str]:
    def enter(data: bytes) -> str:
        _put(name, data)
        return _refused(config.discover)

    return enter


# --- files that convlint wrote

_CHECKED = Checked([_FINDING], ())


def _cache(data: bytes) -> str:
    """Check that a damaged file is not used: the findings are those that were written, or none."""
    _put("a.py", b"x = 1\n")
    cache = Cache("cache")
    cache.put({"a.py": _CHECKED}, {}, SourceTexts())
    (written,) = Path("cache").glob("*.json")
    whole = written.read_bytes()
    written.write_bytes(near(Random(data), [whole]))
    found = Cache("cache").get("a.py", SourceTexts())
    assert found in (None, _CHECKED)
    key = json.loads(whole.partition(b"\n")[0])["key"]
    entries = data.replace(b"PATH", json.dumps(os.path.abspath("a.py")).encode())
    head = {"key": key, "digest": blake2b(entries, digest_size=16).hexdigest()}
    written.write_bytes(json.dumps(head).encode() + b"\n" + entries)
    Cache("cache").get("a.py", SourceTexts())
    return "refused" if found is None else "read"


def _sweep(data: bytes) -> str:
    path = _put("sweep.jsonl", data)

    def answers(jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
        return ((job, JobResult(None, (Problem("exit", "over"),))) for job in jobs)

    def run() -> None:
        tally = sweep.Tally()
        for number, result in enumerate(sweep.Sweep(config.Config()).run(path, [_JOB], answers)):
            tally.add(result)
            sweep_command._line(number, 1, result)
        sweep_command._summary(tally, path)

    return _refused(run)


def _sweep_text() -> bytes:
    with _folder():
        _sweep(b"")
        return Path("sweep.jsonl").read_bytes()


# --- text from workers


def _answer(data: bytes) -> str:
    def decode() -> None:
        serialize.encode(serialize.decode(JobResult, json.loads(data)))

    return _refused(decode, (ValueError, TypeError, RecursionError))


# --- any report in any format


def _arbitrary(kind: Any, random: Random, depth: int = 0) -> Any:
    """Return a random value of a type, with random values for all fields of a record."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return random.choice(arguments)
    if origin in (Union, UnionType):
        return _arbitrary(random.choice(arguments), random, depth)
    if origin is tuple:
        if arguments[1:] == (Ellipsis,):
            count = 0 if depth > 4 else random.randrange(3)
            return tuple(_arbitrary(arguments[0], random, depth + 1) for _ in range(count))
        return tuple(_arbitrary(of, random, depth + 1) for of in arguments)
    if origin is not None:  # a mapping
        return {}
    if kind is Site:
        line, column, end_line, end_column = random.choices([1, 2, 7, 10**6], k=4)
        return Site(_text(random), line, column, end_line, end_column)
    if kind is Graph:
        return Graph(_text(random), "complete")  # the parts of a graph depend on each other
    if is_dataclass(kind) and isinstance(kind, type):
        hints = serialize._hints(kind)
        parts = {f.name: _arbitrary(hints[f.name], random, depth + 1) for f in fields(kind)}
        if "code" in parts:
            parts["code"] = random.choice(list(all_codes()))
        return kind(**parts)
    return _SCALARS[kind](random) if kind in _SCALARS else None


def _text(random: Random) -> str:
    odd = "a.b`|<&>\"'\n\r\t\x1b[31m\u202e\U0001f600\ud800\x00[bold]é漢{}%s\\:/@,;=*#_-]]>"
    return "".join(random.choice(odd) for _ in range(random.randrange(12)))


_SCALARS: dict[Any, Callable[[Random], Any]] = {
    str: _text,
    int: lambda random: random.choice([0, 1, 2, 7, 10**6, 2**63]),
    float: lambda random: random.choice([0.0, 0.5, 1e300]),
    bool: lambda random: random.random() < 0.5,
    bytes: lambda random: _text(random).encode(errors="replace"),
    type(None): lambda _: None,
    SourceTexts: lambda _: SourceTexts(),
}


def _report(data: bytes) -> str:
    random = Random(data)
    report: Report = _arbitrary(Report, random)
    for name in formats():
        said = renderer(name)(report)
        encode(said)
        if name in ("json", "sarif", "gitlab", "rdjson"):
            json.loads(said)
    for render in (text.render, markdown.render):
        render(report)
    return "read"


@contextmanager
def _folder() -> Iterator[None]:
    """Work in an empty folder."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="convlint-fuzz-") as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _doors() -> dict[str, Door]:
    toml = (
        b'[tool.convlint]\nselect = ["CVL1", "CVL2"]\nignore = "CVL301"\nfail-on = "error"\n'
        b'exclude = ["a/*.py"]\n[tool.convlint.per-file-ignores]\n"tests/*" = ["CVL3"]\n'
        b'[[tool.convlint.models]]\ntarget = "net.py:Net"\ninput = ["3,8,8", "mask=1,8:int64"]\n'
        b'args = {width = 8}\nbatch-size = 2\ntrain = true\nmax-params = "1.5M"\n'
    )
    own = toml.replace(b"[tool.convlint]\n", b"").replace(b"tool.convlint.", b"")
    report = json.dumps({
        "convlint": "0.1.0", "schema_version": 1, "problems": [],
        "findings": [{"code": "CVL301", "path": "a.py", "module": None, "message": "m", "target": None}],
        "models": [{"target": "a.py:N", "inputs": ["x: 1"], "totals": {
            "params": 1, "trainable_params": 1, "params_bytes": 4, "macs": 1, "input_bytes": 4,
            "forward_backward_bytes": 8, "peak_inference_bytes": None, "saved_bytes": 1, "training_bytes": 2}}],
    }).encode()  # fmt: skip
    known = b'{"version": 1, "findings": [{"path": "a.py", "code": "CVL301", "function": "", "line": "x", "count": 1}]}'
    code = b"x = [\n    1,  # noqa: CVL301, E501 why\n]  # convlint: ignore[CVL201]\n# convlint: skip-file\ny = '''\n# noqa\n'''\\\n"
    entries = (
        b"[{PATH: ["
        + json.dumps(serialize.encode(_FINDING)).encode()
        + b']}, {PATH: "1de70bc15d424d4453e6c531451e490b"}, {}]'
    )
    answer = json.dumps(serialize.encode(JobResult(None, (Problem("exit", "over", "a.py", 3),)))).encode()
    return {
        "pyproject": Door(_settings("pyproject.toml"), (toml,)),
        "settings": Door(_settings("convlint.toml"), (own,)),
        "target": Door(_target, (
            b"net.py:Net(64, groups=8, names=['a', (1, -2.5e3, None)], **{})", b"package.module:make.net",
            b"timm:resnet*(pretrained=False)", b"src/net.py", b"a:b(c(d))", b"x.py:N(__import__('os').system('id'))",
        )),
        "input": Door(lambda data: _refused(lambda: input_shapes.parse_input(_word(data))), (
            b"3,224,224", b"mask=1,32,32:int64", b" 3 , 4", b"128:int64")),
        "quantity": Door(_quantity, (b"1_500_000", b"1.5M", b"4GiB", b"512 MB", b"3b")),
        "comments": Door(_comments, (code, code.replace(b"noqa", b"see"))),
        "baseline": Door(lambda data: _refused(lambda: baseline.read(_put("b.json", data))), (known,)),
        "compare-to": Door(lambda data: _refused(lambda: compare.read(_put("r.json", data))), (report,)),
        "cache": Door(_cache, (entries,)),
        "sweep": Door(_sweep, (_sweep_text(),)),
        "answer": Door(_answer, (answer,)),
        "report": Door(_report, (b"1", b"2")),
    }  # fmt: skip


DOORS = _doors()


def enter(door: Door, data: bytes) -> str:
    """Process one text and return the result."""
    with _folder():
        return door.enter(data)
