"""The cache: nothing is judged twice, nothing stale is told, and nothing that is broken matters."""

from __future__ import annotations

import json
import os
import threading
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from convlint.pipelines import cache
from convlint.pipelines.lint_files import Linter
from convlint.settings.config import Config, parse
from convlint.source_text.texts import SourceTexts
from tests.static.fake_source import Fake, fake

__all__ = ["fake"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(config: Config | None = None, folder: str | None = "cache") -> list[str]:
    """The places of what a new process finds in all files here."""
    texts = {str(path): path.read_bytes() for path in sorted(Path().glob("*.py"))}
    found = Linter(config or Config(), folder).find(texts)
    return [f"{finding.site} {finding.code}" for finding in found]


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text)


def test_a_file_is_judged_once(fake: Fake) -> None:
    write(a="BAD\nODD\n", b="good\n")
    assert lint() == lint() == ["a.py:1:1 CVL101", "a.py:2:1 CVL301"]
    assert fake.judged == ["a.py", "b.py"]


def test_what_comes_back_is_what_was_found(fake: Fake) -> None:
    write(a="MEND ODD\n")
    texts = {"a.py": Path("a.py").read_bytes()}
    first, second = (Linter(Config(), "cache").find(texts) for _ in range(2))
    assert first == second
    assert first[0].fix is not None


def test_a_file_that_changes_is_judged_again(fake: Fake) -> None:
    write(a="BAD\n", b="good\n")
    lint()
    write(a="good\n")
    assert lint() == []
    assert fake.judged == ["a.py", "b.py", "a.py"]


def test_contents_count_and_times_do_not(fake: Fake) -> None:
    write(a="BAD\n")
    lint()
    os.utime("a.py", (1, 1))
    lint()
    assert fake.judged == ["a.py"]
    before = os.stat("a.py")
    write(a="ODD\n")
    os.utime("a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lint() == ["a.py:1:1 CVL301"]


def test_a_file_is_judged_again_when_one_that_it_leans_on_changes(fake: Fake) -> None:
    write(a="uses w.py\n", w="good\n")
    assert lint() == []
    write(w="WIDE\n")
    assert lint() == ["a.py:1:1 CVL102"]
    assert fake.judged == ["a.py", "w.py", "a.py", "w.py"]


def test_a_file_is_judged_again_when_one_that_it_looked_for_is_there(fake: Fake) -> None:
    write(a="uses sub/w.py\n")
    assert lint() == []
    Path("sub").mkdir()
    Path("sub/w.py").write_text("WIDE\n")
    assert lint() == ["a.py:1:1 CVL102"]


def test_contents_that_stand_for_a_file_count(fake: Fake) -> None:
    write(a="uses w.py\n", w="good\n")
    lint()
    texts = {"a.py": Path("a.py").read_bytes(), "w.py": b"WIDE\n"}
    assert [f.code for f in Linter(Config(), "cache").find(texts)] == ["CVL102"]
    assert lint() == []


def test_what_is_selected_does_not_matter_and_models_do(fake: Fake, here: Path) -> None:
    write(a="BAD\nODD\n")
    assert len(lint()) == 2
    assert lint(Config(select=("CVL3",))) == ["a.py:2:1 CVL301"]
    assert fake.judged == ["a.py"]
    lint(parse({"models": [{"target": "a.py:Net"}]}, str(here / "convlint.toml")))
    assert fake.judged == ["a.py", "a.py"]


def test_another_version_of_convlint_judges_anew(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    write(a="BAD\n")
    lint()
    monkeypatch.setattr("convlint.__version__", "99")
    lint()
    assert fake.judged == ["a.py", "a.py"]


def test_another_working_directory_has_other_paths(fake: Fake, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(a="BAD\n")
    lint(folder=str(here / "cache"))
    Path("below").mkdir()
    monkeypatch.chdir("below")
    found = Linter(Config(), str(here / "cache")).find({"../a.py": Path("../a.py").read_bytes()})
    assert [str(finding.site) for finding in found] == ["../a.py:1:1"]


def test_a_file_with_a_problem_is_tried_again(fake: Fake) -> None:
    write(a="CRASH\n", b="SLOW\n")
    for _ in range(2):
        linter = Linter(Config(), "cache")
        linter.find({"a.py": b"CRASH\n", "b.py": b"SLOW\n"})
        assert [problem.kind for problem in linter.problems] == ["internal", "timeout"]


BROKEN = (
    *("", "{", "[]", "null", '{"key": 1}', "\xe9", '{"key": KEY}', "HEAD[]", "HEAD", "HEAD{"),
    'HEAD{"PATH": 3}',
    'HEAD[{"PATH": [[1]]}, {"PATH": DATA}, {}]',
    'HEAD[{"PATH": []}, {"PATH": 3}, {}]',
    'HEAD[{"PATH": 7}, {"PATH": DATA}, {}]',
    'HEAD[{"PATH": []}, {"PATH": DATA}, {"PATH": 1}]',
    'HEAD[{"PATH": []}, {"PATH": DATA}, {"PATH": [1]}]',
    'HEAD[{"PATH": []}, {"PATH": DATA}]',
    'HEAD[{"PATH": {"data": DATA}}, {"PATH": DATA}, {}]',
    '{"key": KEY, "digest": ""}\n[{"PATH": []}, {"PATH": DATA}, {}]',
    "[" * 100_000,
    "HEAD" + "[" * 100_000,
)
"""Texts in the place of a cache, HEAD for the first line that would fit the rest."""


def parts(file: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The first line of a cache, and its findings, contents and uses by file."""
    head, _, rest = file.read_text().partition("\n")
    return json.loads(head), json.loads(rest)


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_cache_is_written_anew(fake: Fake, here: Path, text: str) -> None:
    write(a="BAD\n")
    lint()
    (file,) = Path("cache").glob("*.json")
    head, entries = parts(file)
    data = json.dumps(entries[1][str(here / "a.py")])
    text = text.replace("KEY", json.dumps(head["key"])).replace("DATA", data)
    text = text.replace("PATH", str(here / "a.py"))
    if text.startswith("HEAD"):
        text = text.removeprefix("HEAD")
        digest = blake2b(text.encode(), digest_size=16).hexdigest()
        text = json.dumps({"key": head["key"], "digest": digest}) + f"\n{text}"
    file.write_text(text, encoding="latin-1")
    assert lint() == lint() == ["a.py:1:1 CVL101"]
    assert fake.judged == ["a.py", "a.py"]


def test_a_folder_that_cannot_be_written_does_not_matter(fake: Fake) -> None:
    Path("cache").write_text("a file is in the way")
    write(a="BAD\n")
    assert lint() == lint() == ["a.py:1:1 CVL101"]
    assert Path("cache").read_text() == "a file is in the way"


def test_without_a_folder_nothing_is_written(fake: Fake, here: Path) -> None:
    write(a="BAD\n")
    lint(folder=None)
    assert [path.name for path in here.iterdir()] == ["a.py"]


def test_git_leaves_the_folder_alone(fake: Fake) -> None:
    write(a="BAD\n")
    lint()
    assert Path("cache/.gitignore").read_text() == "*\n"
    assert Path("cache/CACHEDIR.TAG").read_text().startswith("Signature: 8a477f59")


def test_files_that_are_gone_are_forgotten_and_others_kept(fake: Fake) -> None:
    write(a="BAD\n", b="BAD\n")
    lint()
    Path("a.py").unlink()
    write(c="good\n")
    lint()
    (file,) = Path("cache").glob("*.json")
    assert {Path(path).name for path in parts(file)[1][0]} == {"b.py", "c.py"}


def test_a_change_that_another_command_saw_makes_findings_stale_for_this_one(fake: Fake) -> None:
    write(a="uses b.py\n", b="uses w.py\n", w="good\n")
    assert lint() == []
    write(w="WIDE\n")
    Linter(Config(), "cache").find({"b.py": Path("b.py").read_bytes()})  # a.py is not linted here
    assert lint() == ["b.py:1:1 CVL102"]
    assert fake.judged == ["a.py", "b.py", "w.py", "b.py", "a.py", "w.py"]


def test_files_that_import_each_other_are_judged_again_together(fake: Fake) -> None:
    write(a="uses b.py\n", b="uses a.py\n")
    assert lint() == lint() == []
    write(b="uses a.py\nBAD\n")
    assert lint() == ["b.py:2:1 CVL101"]
    assert fake.judged == ["a.py", "b.py", "a.py", "b.py"]


def test_the_cache_grows_with_the_imports_and_not_with_what_they_lead_to(fake: Fake) -> None:
    sizes = []
    for count in (20, 40):
        write(**{f"m{n}": f"uses m{n + 1}.py\n" for n in range(count)})
        lint(folder=f"cache{count}")
        (file,) = Path(f"cache{count}").glob("*.json")
        sizes.append(len(file.read_bytes()))
    assert sizes[1] < 2.2 * sizes[0]


def test_runs_side_by_side_do_not_harm_each_other() -> None:
    def use(number: int) -> None:
        for turn in range(20):
            one = cache.Cache("cache")
            one.put({f"{number}.py": cache.Checked([], ())}, {}, SourceTexts({f"{number}.py": b"%d" % turn}))

    for number in range(4):
        write(**{str(number): ""})
    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = Path("cache").glob("*.json*")
    assert parts(file)[1][0].keys() <= {os.path.abspath(f"{number}.py") for number in range(4)}
    known = [cache.Cache("cache").get(f"{n}.py", SourceTexts({f"{n}.py": b"19"})) for n in range(4)]
    assert cache.Checked([], ()) in known
