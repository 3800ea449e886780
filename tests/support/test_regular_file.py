"""Files that are read end, and are read without waiting."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from convlint.support.regular_file import read_regular_file


@pytest.mark.skipif(sys.platform != "linux", reason="the files of /proc are Linux's")
def test_a_file_without_a_size_is_read_up_to_the_limit() -> None:
    assert read_regular_file("/proc/self/status").startswith(b"Name:")
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_regular_file("/proc/self/status", most=10)


def test_a_file_that_waits_for_its_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, status = str(tmp_path / "pipe"), os.stat(__file__)
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)  # so that a reader would wait
    monkeypatch.setattr(os, "stat", lambda _: status)  # such as those of /proc, which claim to be regular
    try:
        with pytest.raises(OSError, match="no content yet") as refused:
            read_regular_file(pipe)
    finally:
        os.close(writer)
    assert refused.value.errno == errno.EAGAIN
