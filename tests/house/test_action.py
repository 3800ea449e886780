"""The GitHub action and the recipes of docs/ci.md: the services can read them, and their commands do what they say.

A runner is played: expressions are filled in, and each `run:` is run by bash as GitHub does. What needs a registry is
not run: `convlint` is the one that is installed here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.prose import blocks

ROOT = Path(__file__).parents[2]
GDCONV = (ROOT / "fixtures" / "gdconv.py").read_text(encoding="utf-8")
BUG = "self.bn = nn.BatchNorm2d(in_planes)"
LINE = next(n for n, line in enumerate(GDCONV.splitlines(), 1) if BUG in line)
MENDED = GDCONV.replace(BUG, "self.bn = nn.BatchNorm2d(out_planes)")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))

RECIPES = {
    block.text.splitlines()[0].removeprefix("# "): block.text
    for block in blocks(ROOT / "docs" / "ci.md")
    if block.language == "yaml"
}
"""The files that docs/ci.md shows, by their names."""
WORKFLOWS = [name for name in RECIPES if name.startswith(".github/")]
SCHEMAS = {".github/": "vendor.github-workflows", ".gitlab-ci.yml": "vendor.gitlab-ci"}


# --- what the services read


def schema_errors(schema: str, file: Path) -> str:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_action_is_one() -> None:
    assert not schema_errors("vendor.github-actions", ROOT / "action.yml")


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith(".pre-commit")])
def test_a_recipe_is_what_the_service_reads(name: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yml"
    file.write_text(RECIPES[name], encoding="utf-8")
    schema = next(schema for start, schema in SCHEMAS.items() if name.startswith(start))
    assert not schema_errors(schema, file)


def test_the_schemas_would_see_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yml"
    file.write_text((ROOT / "action.yml").read_text().replace("composite", "bash"))
    assert schema_errors("vendor.github-actions", file)
    file.write_text(RECIPES[WORKFLOWS[0]].replace("runs-on", "run-on"))
    assert schema_errors("vendor.github-workflows", file)


def test_the_recipe_of_pre_commit_names_hooks_that_there_are(tmp_path: Path) -> None:
    text = RECIPES[".pre-commit-config.yaml"]
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pre_commit", "validate-config", "config.yaml"]
    subprocess.run(command, check=True, cwd=tmp_path)
    named = {hook["id"] for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]}
    there = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert named == {hook["id"] for hook in there}


def test_every_input_that_a_recipe_gives_is_one_of_the_action() -> None:
    for name in WORKFLOWS:
        for step in steps(name):
            if is_ours(step):
                assert step.get("with", {}).keys() <= ACTION["inputs"].keys(), name


def test_no_expression_stands_in_a_script() -> None:
    """What a pull request says must not become a command: it comes as a variable."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    scripts += [step["run"] for name in WORKFLOWS for step in steps(name) if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


# --- a runner


def steps(name: str) -> list[dict[str, Any]]:
    (job,) = yaml.safe_load(RECIPES[name])["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def is_ours(step: Mapping[str, Any]) -> bool:
    return "/convlint@" in step.get("uses", "")


@dataclass
class Runner:
    """Runs steps in a project. ``ran`` are the scripts, ``failed`` says whether one did, as it fails a job."""

    project: Path
    temp: Path
    out: str = ""
    ran: list[str] = field(default_factory=list)
    failed: bool = False

    def job(self, name: str) -> None:
        """All steps of a workflow; after a failure those that always run. The action installs nothing here."""
        for step in steps(name):
            if self.failed and step.get("if") != "always()":
                continue
            if is_ours(step):
                self.action({**step.get("with", {}), "install": False})
            elif "run" in step:
                self.run(step["run"], {}, self.filled(step.get("working-directory", "."), {}))

    def action(self, given: Mapping[str, Any]) -> None:
        """The steps of the action that run a script, with these inputs."""
        inputs = {name: one["default"] for name, one in ACTION["inputs"].items()}
        inputs |= {name: _as_text(value) for name, value in given.items()}
        for step in ACTION["runs"]["steps"]:
            needed = step.get("if")
            assert needed in (None, "inputs.install == 'true'")
            if "run" not in step or self.failed or (needed and inputs["install"] != "true"):
                continue
            env = {name: self.filled(text, inputs) for name, text in step["env"].items()}
            folder = self.filled(step.get("working-directory", "."), inputs)
            self.run(step["run"], env, folder)

    def filled(self, text: str, inputs: Mapping[str, str]) -> str:
        """A text with its expressions filled in."""
        known = {f"inputs.{name}": value for name, value in inputs.items()}
        known |= {"github.action_path": str(ROOT), "runner.temp": str(self.temp)}
        known |= {"steps.python.outputs.python-path": sys.executable}
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], text)

    def run(self, script: str, env: Mapping[str, str], folder: str = ".") -> None:
        """A script as GitHub runs it."""
        self.ran.append(script)
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(
            bash, cwd=self.project / folder, env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        self.out += done.stdout + done.stderr
        self.failed = self.failed or done.returncode != 0


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A runner with a project that has a bug in src/net.py, and one configured model of it."""
    made = Runner(tmp_path / "project", tmp_path / "temp")
    tools = tmp_path / "tools"
    for folder in (made.project / "src", made.temp, tools):
        folder.mkdir(parents=True)
    (made.project / "src" / "net.py").write_text(GDCONV, encoding="utf-8")
    (made.project / "convlint.toml").write_text(
        "[[models]]\ntarget = 'src/net.py:GDConv(8, 8, 9, 0)'\ninput = '8,9,9'\n"
    )
    (tools / "pip").write_text('#!/bin/sh\necho "$@" >> "$PIP_LOG"\n')
    (tools / "pip").chmod(0o755)
    convlint = Path(sys.executable).parent / "convlint"
    (tools / "convlint").symlink_to(convlint)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    for name, value in {
        "PIP_LOG": str(tmp_path / "pip.log"),
        "RUNNER_TEMP": str(made.temp),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_WORKSPACE": str(made.project),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("FORCE_COLOR", "CONVLINT"):
        monkeypatch.delenv(name, raising=False)
    return made


def mend(runner: Runner) -> None:
    (runner.project / "src" / "net.py").write_text(MENDED, encoding="utf-8")


ANNOTATION = f"::warning file=src/net.py,line={LINE},"


# --- the action


def test_a_bug_fails_the_step_and_is_shown_at_its_line(runner: Runner) -> None:
    runner.action({"install": False, "targets": "src"})
    assert runner.failed
    assert ANNOTATION in runner.out


def test_without_a_bug_the_step_passes(runner: Runner) -> None:
    mend(runner)
    runner.action({"install": False})
    assert not runner.failed, runner.out


@pytest.mark.slow
def test_models_run_in_the_environment_of_the_job(runner: Runner) -> None:
    runner.action({"install": False, "targets": ""})
    assert f"::error file=src/net.py,line={LINE}," in runner.out  # proved: it was run
    assert runner.failed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"targets": "'src/net.py:GDConv(8, 8, 9, 0)'", "args": "--input 8,9,9"}, "::error file="),
        ({"targets": "src", "args": "--select CVL3"}, ""),
        ({"targets": "src/net.py\nsrc", "args": "--output-format concise"}, f"src/net.py:{LINE}:19"),
        ({"targets": "net.py", "working-directory": "src"}, ANNOTATION),
        ({"targets": "nothing.py"}, "::error file=nothing.py,title=convlint%3A missing-file::"),
        ({"targets": "src; touch pwned"}, "src;"),
        ({"targets": "src $(touch pwned) `touch pwned`"}, "touch"),
        ({"targets": "'src"}, "unmatched single quote"),
    ],
    ids=str,
)
def test_inputs_are_words_and_nothing_else(runner: Runner, given: dict[str, str], told: str) -> None:
    runner.action({"install": False, **given})
    assert told in runner.out
    assert runner.failed == bool(told)
    assert not (runner.project / "pwned").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "wanted"), [("", str(ROOT)), ("0.1.0", "convlint==0.1.0")], ids=["own", "released"]
)
def test_it_installs_this_version_or_a_released_one(runner: Runner, version: str, wanted: str) -> None:
    """A virtual environment is really made; what pip would fetch is not."""
    install = next(step for step in ACTION["runs"]["steps"] if step["name"] == "Install convlint")
    made = runner.temp / "convlint" / "bin"
    script = install["run"].replace('"$RUNNER_TEMP/convlint/bin/pip"', "pip")
    assert script != install["run"]
    inputs = {"version": version}
    runner.run(script, {name: runner.filled(t, inputs) for name, t in install["env"].items()})
    assert not runner.failed, runner.out
    assert (made / "pip").exists()
    assert Path(os.environ["PIP_LOG"]).read_text().split()[-1] == wanted


def test_what_was_installed_is_what_checks(runner: Runner) -> None:
    made = runner.temp / "convlint" / "bin"
    made.mkdir(parents=True)
    (made / "convlint").write_text('#!/bin/sh\necho "installed: $@"\n')
    (made / "convlint").chmod(0o755)
    check = ACTION["runs"]["steps"][-1]
    inputs = {name: one["default"] for name, one in ACTION["inputs"].items()}
    runner.run(check["run"], {name: runner.filled(t, inputs) for name, t in check["env"].items()})
    assert runner.out == "installed: check --output-format github .\n"


# --- recipes


def test_workflow_for_files(runner: Runner) -> None:
    runner.job(".github/workflows/convlint.yml")
    assert ANNOTATION in runner.out
    assert runner.failed


@pytest.mark.slow
def test_workflow_for_models(runner: Runner) -> None:
    runner.job(".github/workflows/models.yml")
    assert f"::error file=src/net.py,line={LINE}," in runner.out
    assert Path(os.environ["PIP_LOG"]).read_text() == "install -r requirements.txt convlint[torch]\n"


def test_workflow_for_code_scanning(runner: Runner) -> None:
    runner.job(".github/workflows/scanning.yml")
    assert runner.failed
    upload = steps(".github/workflows/scanning.yml")[-1]
    assert upload["if"] == "always()"
    sarif = json.loads((runner.project / upload["with"]["sarif_file"]).read_text())
    assert "CVL201" in {result["ruleId"] for result in sarif["runs"][0]["results"]}


GIT = shutil.which("git") or ""


@pytest.mark.slow
@pytest.mark.skipif(not GIT, reason="git is not installed")
def test_workflow_that_compares(runner: Runner, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        subprocess.run([GIT, *who, *arguments], cwd=runner.project, check=True, capture_output=True)

    mend(runner)
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "Work")
    git("clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    git("remote", "add", "origin", str(tmp_path / "origin.git"))
    git("fetch", "-q", "origin")
    (runner.project / "src" / "net.py").write_text(GDCONV, encoding="utf-8")
    runner.job(".github/workflows/compare.yml")
    assert runner.failed
    summary = Path(os.environ["GITHUB_STEP_SUMMARY"]).read_text()
    assert "CVL201" in summary
    assert "GDConv" in summary


def gitlab() -> Iterator[Any]:
    for name, job in yaml.safe_load(RECIPES[".gitlab-ci.yml"]).items():
        yield pytest.param(job, id=name)


@pytest.mark.slow
@pytest.mark.parametrize("job", [*gitlab()])
def test_gitlab(runner: Runner, job: dict[str, Any]) -> None:
    for line in job["script"]:
        runner.run(line, {})
    assert runner.failed
    (kind, name), *_ = job["artifacts"]["reports"].items()
    report = (runner.project / name).read_text(encoding="utf-8")
    assert {"codequality": '"check_name": "CVL201', "junit": "<testsuites"}[kind] in report
    assert "src/net.py" in report
