"""Which files are checked: below folders, less what is excluded or ignored; and what cannot be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convlint.pipelines import lint_files
from convlint.settings import discovery
from convlint.support.errors import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def found(*targets: str, exclude: tuple[str, ...] = (), force: bool = False) -> list[str]:
    result = discovery.find(targets or (".",), exclude=exclude, force=force)
    assert result.problems == ()
    return list(result.files)


def test_python_files_below_a_folder_in_the_order_of_names() -> None:
    make("b.py", "a/z.py", "a/deep/er/x.py", "c/y.py", "a/text.txt", "a/stub.pyi")
    assert found() == ["a/deep/er/x.py", "a/z.py", "b.py", "c/y.py"]
    assert found("a", "b.py") == ["a/deep/er/x.py", "a/z.py", "b.py"]


def test_a_file_is_checked_once_however_often_it_is_named() -> None:
    make("a/x.py")
    Path("link.py").symlink_to("a/x.py")
    assert found("a", "a/x.py", "./a/../a/x.py", "link.py") == ["a/x.py"]


def test_paths_are_relative_to_the_working_directory_where_they_lie_below_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a/x.py", "b/y.py")
    assert found(str(here / "a")) == ["a/x.py"]
    monkeypatch.chdir("a")
    assert found(str(here / "a"), "../b") == ["x.py", "../b/y.py"]


def test_what_is_named_is_checked_whatever_it_is_called() -> None:
    make("script", "build/x.py")
    assert found("script") == ["script"]
    assert found("build", "build/x.py") == ["build/x.py"]


@pytest.mark.parametrize("folder", [".git", ".venv", "venv", "node_modules", "build", "dist"])
def test_folders_that_nobody_means_are_left_out(folder: str) -> None:
    make(f"{folder}/x.py", f"deep/{folder}/x.py", "a.py")
    assert found() == ["a.py"]


def test_the_lock_of_an_editor_is_no_file() -> None:
    make("a.py")
    Path(".#a.py").symlink_to("somebody@somewhere.1234")
    assert found() == ["a.py"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("x.py", ["a/y.py", "b/a/z.py"]),
        ("a", []),
        ("a/*.py", ["b/a/z.py"]),
        ("./a", ["b/a/z.py"]),
        ("*/a", ["a/x.py", "a/y.py"]),
        ("[xy].py", ["b/a/z.py"]),
    ],
)
def test_exclude(pattern: str, left: list[str]) -> None:
    make("a/x.py", "a/y.py", "b/a/z.py")
    result = discovery.find(["."], exclude=[pattern])
    assert list(result.files) == left
    assert bool(result.problems) == (not left)


def test_what_is_named_is_excluded_only_by_force() -> None:
    make("old/x.py", "new.py")
    assert found("old/x.py", "new.py", exclude=("old",)) == ["old/x.py", "new.py"]
    assert found("old/x.py", "new.py", exclude=("old",), force=True) == ["new.py"]
    assert found("old", exclude=("old",), force=True) == []


def test_a_folder_whose_name_looks_like_a_pattern(here: Path) -> None:
    make("[a]/sub/x.py", "[a]/y.py")
    found_there = discovery.find(["[a]"], exclude=["sub/x.py"], root=str(here / "[a]"))
    assert found_there.files == ("[a]/y.py",)


# --- git


def test_what_git_ignores_is_left_out() -> None:
    make("a.py", "made.py", "out/x.py", "out.d/x.py", "deep/out/y.py", "top.py", "deep/top.py")
    Path(".gitignore").write_text("# made by a program\nmade.py\nout/\n/top.py\n")
    assert found() == ["a.py", "deep/top.py", "out.d/x.py"]
    assert found("made.py") == ["made.py"]


def test_a_nested_file_adds_to_those_above_and_is_stronger() -> None:
    make("a/x.py", "a/y.py", "b/x.py", "b/y.py")
    Path(".gitignore").write_text("x.py\n")
    Path("a/.gitignore").write_text("!x.py\ny.py\n")
    assert found() == ["a/x.py", "b/y.py"]


def test_files_above_count_up_to_the_folder_that_git_manages() -> None:
    make("repo/.git/HEAD", "repo/a/x.py", "repo/a/y.py", "repo/a/z.py")
    Path(".gitignore").write_text("z.py\n")
    Path("repo/.gitignore").write_text("x.py\n")
    assert found("repo/a") == ["repo/a/y.py", "repo/a/z.py"]
    Path("repo/.git/info").mkdir()
    Path("repo/.git/info/exclude").write_text("/a/y.py\n")
    assert found("repo/a") == ["repo/a/z.py"]


# --- what cannot be looked at


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gone.py", "gone.py does not exist"),
        ("nett.py", "nett.py does not exist; did you mean net.py?"),
        ("no/where", "no/where does not exist"),
        ("loose.py", "loose.py is a broken link"),
        ("round.py", "round.py cannot be read: Too many levels of symbolic links"),
        ("empty", "no Python files to check in empty"),
    ],
)
def test_a_target_that_is_no_file_is_a_problem_of_one_line(target: str, message: str) -> None:
    make("net.py")
    Path("empty").mkdir()
    Path("loose.py").symlink_to("nothing")
    Path("round.py").symlink_to("round.py")
    result = discovery.find([target, "net.py"])
    assert [problem.message for problem in result.problems] == [message]
    assert result.files == ("net.py",)


def test_links_to_folders_are_not_followed() -> None:
    make("a/x.py")
    Path("a/self").symlink_to("..")
    Path("a/pack.py").symlink_to(".")
    assert found() == ["a/x.py"]


def test_a_link_to_nothing_below_a_folder_is_a_problem() -> None:
    make("a/x.py")
    Path("a/y.py").symlink_to("nothing")
    result = discovery.find(["a"])
    assert result.files == ("a/x.py",)
    assert [problem.path for problem in result.problems] == ["a/y.py"]


def test_a_folder_that_cannot_be_read_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    make("a/x.py", "b/y.py")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if path.endswith("a"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    result = discovery.find(["."])
    assert result.files == ("b/y.py",)
    assert [p.message for p in result.problems] == ["./a cannot be read: Permission denied"]


def test_a_pipe_called_like_a_file_is_not_waited_for() -> None:
    make("a/x.py")
    os.mkfifo("a/pipe.py")
    assert found("a") == ["a/x.py"]


def test_hundreds_of_folders_deep() -> None:
    deep = "/".join("d" * 900)
    os.makedirs(deep)
    make(f"{deep}/x.py")
    assert [path.count("/") for path in found()] == [900]


def test_a_file_that_cannot_be_read_is_a_problem_and_the_others_are_read() -> None:
    make("x.py")
    Path("folder.py").mkdir()
    texts, problems = lint_files.read_files(["folder.py", "x.py"])
    assert texts == {"x.py": b""}
    assert [p.message for p in problems] == ["folder.py cannot be read: Is a directory"]


def test_the_cache_lies_in_a_project_and_nowhere_else(here: Path) -> None:
    assert discovery.cache_folder(str(here)) is None
    make("pyproject.toml")
    assert discovery.cache_folder(str(here)) == str(here / ".convlint_cache")


def test_an_ignore_file_that_is_a_device_is_a_problem_and_its_folder_is_checked() -> None:
    make("a.py")
    os.symlink("/dev/zero", ".gitignore")
    result = discovery.find(["."])
    assert list(result.files) == ["a.py"]
    assert [problem.message for problem in result.problems] == [".gitignore cannot be read: it is a pipe or a device"]


def test_patterns_that_git_does_not_understand_are_ignored_as_git_does() -> None:
    make("a.py", "b.py")
    Path(".gitignore").write_text("!\nb.py\n///\n[z-a]\n")
    assert found() == ["a.py"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x\n" * 20_000, "it has more than 10,000 lines"), ("a" * 2_000_000 + "\n", "it has more than 200,000 bytes")],
)
def test_ignore_patterns_that_would_take_long_are_a_problem(text: str, reason: str) -> None:
    make("a" * 200 + ".py")
    Path(".gitignore").write_text(text)
    result = discovery.find(["."])
    assert len(result.files) == 1
    assert [problem.message for problem in result.problems] == [f".gitignore cannot be read: {reason}"]


@pytest.mark.parametrize("text", ["*a" * 12 + "*b\n", "*a*a*a*a*b\n" * 1000, "/" + "*a*/" * 3 + "b\n"])
def test_a_path_that_would_take_long_to_match_is_a_problem(text: str) -> None:
    make(f"{'a' * 200}.py", "a.py")
    Path(".gitignore").write_text(text)
    result = discovery.find(["."])
    assert result.files == ("a.py",)
    reason = "the patterns of .gitignore have too many wildcards for so long a path"
    assert [problem.message for problem in result.problems] == [f"{'a' * 200}.py cannot be read: {reason}"]


def test_a_comment_in_an_ignore_file_may_have_any_number_of_stars() -> None:
    make("a.py", "b.py")
    Path(".gitignore").write_text("# *** a * b * c * d ***\nb.py\n")
    assert found(".") == ["a.py"]


def test_a_folder_in_one_that_git_ignores_is_ignored_too() -> None:
    make(".git/HEAD", "out/a/x.py", "src/a/x.py")
    Path(".gitignore").write_text("out/\n")
    assert discovery.find(["out/a"]).files == ()
    assert found("src/a") == ["src/a/x.py"]


def test_exclusions_without_end_are_refused() -> None:
    with pytest.raises(UsageError, match="the excluded patterns have 1,000,000 characters; the limit is 200,000"):
        discovery.find(["."], exclude=["?" * 1_000_000])
    with pytest.raises(UsageError, match="200,000 patterns are excluded; the limit is 10,000"):
        discovery.find(["."], exclude=[f"d{n}/*.x" for n in range(200_000)])


def test_a_cache_folder_that_is_a_link_is_not_used(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    make("pyproject.toml")
    os.symlink(tmp_path_factory.mktemp("elsewhere"), ".convlint_cache")
    assert discovery.cache_folder(str(here)) is None
