"""Files imported with other contents than those on disk, which stay as they are, and are imported again afterwards."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from convlint.runtime.build.overlay import files_replaced
from convlint.runtime.code_sites import source_line

Import = Callable[[str], Any]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Imports a module of the folder anew each time, as a process that was just started does."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget() -> None:
        for name in set(sys.modules) - before:
            del sys.modules[name]
        importlib.invalidate_caches()

    def load(name: str) -> Any:
        forget()
        return importlib.import_module(name)

    yield load
    forget()


def compiled(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path)))


def test_an_import_reads_the_text_that_stands(tmp_path: Path, imported: Import) -> None:
    path = tmp_path / "net_over.py"
    path.write_text("where = 'disk'\n")
    with files_replaced({str(path): "where = 'here'\n"}):
        assert imported("net_over").where == "here"
    assert imported("net_over").where == "disk"
    assert path.read_text() == "where = 'disk'\n"


def test_a_compiled_file_is_neither_read_nor_written(tmp_path: Path, imported: Import) -> None:
    path = tmp_path / "net_over.py"
    path.write_text("where = 'disk'\n")
    assert imported("net_over").where == "disk"
    stale = compiled(path).read_bytes()
    with files_replaced({str(path): "where = 'here'\n"}):  # as long, and as old
        assert imported("net_over").where == "here"
    assert compiled(path).read_bytes() == stale
    compiled(path).unlink()
    with files_replaced({str(path): "where = 'here'\n"}):
        assert imported("net_over").where == "here"
    assert not compiled(path).exists()
    assert imported("net_over").where == "disk"


def test_a_package_whose_files_import_each_other(tmp_path: Path, imported: Import) -> None:
    files = {
        "over_pack/__init__.py": "from .net import net\n",
        "over_pack/net.py": "from .parts.block import block\n\ndef net():\n    return ['net', block()]\n",
        "over_pack/parts/__init__.py": "",
        "over_pack/parts/block.py": "from .. import net\n\ndef block():\n    return 'disk'\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    name = "over_pack/parts/block.py"
    with files_replaced({str(tmp_path / name): files[name].replace("disk", "here")}):
        package = imported("over_pack")
        assert package.net() == ["net", "here"]
        assert package.__file__ == str(tmp_path / "over_pack/__init__.py")
    assert imported("over_pack").net() == ["net", "disk"]


def test_a_path_may_be_relative_or_lead_through_a_link(
    tmp_path: Path, imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "real/net_over.py").write_text("where = 'disk'\n")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.syspath_prepend(str(tmp_path / "real"))
    for path in ("real/net_over.py", "./real/../real/net_over.py", "link/net_over.py"):
        with files_replaced({path: "where = 'here'\n"}):
            assert imported("net_over").where == "here"


def test_bytes_of_any_encoding_stand(tmp_path: Path, imported: Import) -> None:
    path = tmp_path / "net_over.py"
    path.write_text("")
    data = "# coding: latin-1\r\nwhere = 'caf\u00e9'\r\n".encode("latin-1")
    with files_replaced({str(path): data.decode("latin-1")}):
        assert imported("net_over").where == "caf\u00e9"
        assert source_line(str(path), 2) == "where = 'caf\u00e9'\n"


def test_tracebacks_and_excerpts_show_the_text_that_stands(
    tmp_path: Path, imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net_over.py"
    path.write_text("disk = 1\n")
    with files_replaced({"net_over.py": "# A line.\nraise ValueError\n"}):
        for name in ("net_over.py", str(path)):
            assert source_line(name, 1) == "# A line.\n"
            assert source_line(name, 2) == "raise ValueError\n"
            assert linecache.getlines(name) == ["# A line.\n", "raise ValueError\n"]
        with pytest.raises(ValueError) as raised:
            imported("net_over")
        assert str(raised.traceback[-1].statement) == "raise ValueError"
    assert source_line("net_over.py", 1) == "disk = 1\n"
    assert linecache.getlines("net_over.py") == ["disk = 1\n"]


def test_all_is_put_back_whatever_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "net_over.py"
    path.write_text("disk = 1\n")
    linecache.getlines(str(path))
    loader = SourceFileLoader.get_data, SourceFileLoader.path_stats
    cached, entries = linecache.cache[str(path)], set(linecache.cache)
    with suppress(KeyError), files_replaced({str(path): "here = 1\n", str(tmp_path / "no.py"): ""}):
        assert loader != (SourceFileLoader.get_data, SourceFileLoader.path_stats)
        raise KeyError
    assert (SourceFileLoader.get_data, SourceFileLoader.path_stats) == loader
    assert linecache.cache[str(path)] == cached
    assert set(linecache.cache) == entries


def test_standing_texts_may_be_within_each_other(tmp_path: Path, imported: Import) -> None:
    path = tmp_path / "net_over.py"
    path.write_text("where = 'disk'\n")
    with files_replaced({str(path): "where = 'outside'\n"}):
        with files_replaced({str(path): "where = 'inside'\n"}):
            assert imported("net_over").where == "inside"
        assert imported("net_over").where == "outside"
