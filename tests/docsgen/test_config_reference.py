"""The settings as they are documented: the page and the schema say what the program reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from convlint.docsgen import config_reference
from convlint.settings import config
from convlint.settings.schema import KEYS, MODEL_KEYS, Key
from convlint.support.errors import UsageError
from convlint.support.quantities import BUDGETS

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "config-schema.json").read_text("utf-8"))
VALID = jsonschema.Draft7Validator(SCHEMA)
MODEL = {"target": "net.py:Net"}

each_key = pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
each_key_of_a_model = pytest.mark.parametrize("key", MODEL_KEYS, ids=lambda key: key.name)


def settings(table: Any) -> config.Config:
    return config.parse(table, "convlint.toml")


def value(text: str) -> Any:
    return tomllib.loads(f"it = {text}")["it"]


@pytest.mark.parametrize(("name", "text"), [*config_reference.files()], ids=lambda part: part[:20])
def test_the_generated_files_are_current(name: str, text: str) -> None:
    assert (DOCS / name).read_text("utf-8") == text, "run `python -m convlint.docsgen.config_reference docs`"


def test_the_command_writes_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "convlint.docsgen.config_reference", str(tmp_path / "new")]
    subprocess.run(command, check=True, timeout=60)
    assert {path.name for path in (tmp_path / "new").iterdir()} == dict(config_reference.files()).keys()


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@each_key
def test_an_example_is_read(key: Key) -> None:
    table = {key.name: value(key.example)}
    assert settings(table) != settings({})
    VALID.validate(table)


@each_key_of_a_model
def test_an_example_of_a_model_is_read(key: Key) -> None:
    table = {"models": [MODEL | {key.name: value(key.example)}]}
    (entry,) = settings(table).models
    assert key.name == "target" or entry != settings({"models": [MODEL]}).models[0]
    VALID.validate(table)


@each_key
def test_a_default_is_what_holds_without_the_key(key: Key) -> None:
    assert settings({key.name: value(key.default)}) == settings({})


@pytest.mark.parametrize("key", [k for k in MODEL_KEYS if k.default], ids=lambda key: key.name)
def test_a_default_of_a_model_is_what_holds_without_the_key(key: Key) -> None:
    (entry,) = settings({"models": [MODEL | {key.name: value(key.default)}]}).models
    assert getattr(entry, key.name.replace("-", "_")) == value(key.default)


def test_there_is_a_key_for_every_setting() -> None:
    fields = {name.replace("_", "-") for name in config.Config.__dataclass_fields__}
    assert {key.name for key in KEYS} == fields - {"path"}
    fields = {name.replace("_", "-") for name in config.ModelEntry.__dataclass_fields__}
    known = {key.name for key in MODEL_KEYS} - {"args"} - BUDGETS.keys()
    assert known == fields - {"inputs", "budgets"} | {"input"}
    assert {key.name for key in MODEL_KEYS} >= BUDGETS.keys()


WRONG: tuple[Any, ...] = (3, 1.5, True, "", [], {}, [3], {"a": 3}, "some words", -1, 0)
"""Values of every type, some of which fit each key."""


@each_key
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_the_schema_knows_the_form_of_a_value(key: Key, wrong: Any) -> None:
    """It may let pass what only the program can judge: codes, shapes and names."""
    assert_agreed({key.name: wrong})


@each_key_of_a_model
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_the_schema_knows_the_form_of_a_value_of_a_model(key: Key, wrong: Any) -> None:
    assert_agreed({"models": [MODEL | {key.name: wrong}]})


def assert_agreed(table: Any) -> None:
    message = told(table)
    assert VALID.is_valid(table) or message, "the schema refuses what is read"
    if " must be " in message or " is expected" in message:
        assert not VALID.is_valid(table), message


def told(table: Any) -> str:
    """What is said against settings."""
    try:
        settings(table)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"selct": []}, "unknown key 'selct'; did you mean 'select'"),
        ({"fail-on": "warn"}, "fail-on 'warn' is unknown; did you mean 'warning'"),
        ({"ignore": 3}, "ignore must be a string or a list of strings"),
        ({"models": [{"target": 3}]}, r"models\[0\]: target must be a string such as 'net.py:Net'"),
        ({"models": [{}]}, r"models\[0\]: target must be .*; it is missing"),
        ({"models": [MODEL | {"inptu": "3"}]}, r"models\[0\]: unknown key 'inptu'.* 'input'"),
        ({"models": ["net.py:Net"]}, "must be a table"),
    ],
)
def test_a_mistake_is_named_and_the_schema_sees_it_too(table: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings(table)
    assert not VALID.is_valid(table)


def test_every_key_has_its_place_on_the_page() -> None:
    page = (DOCS / "configuration.md").read_text("utf-8")
    for key in (*KEYS[:-1], *MODEL_KEYS):
        assert f"\n### {key.name}\n" in page


def test_settings_are_documented_without_loading_them(tmp_path: Path) -> None:
    """A folder without settings does not wait for the documentation of keys."""
    code = "import sys; from convlint.settings import config; config.discover(); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
    assert "convlint.settings.config" in done.stdout.split()
    assert "convlint.settings.schema" not in done.stdout.split()
