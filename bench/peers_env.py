"""Create the environment of the tools that convlint is compared with, and run them in it.

It is in the user's cache folder, outside the repository, and kept between runs. It is independent of the environment
of the tests: it contains one torch, and what the tools themselves require.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PINS = Path(__file__).with_name("peers.txt")


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment in ``folder``, next to the source of torchvision, which no tool imports by itself."""

    folder: Path

    @property
    def torchvision(self) -> Path:
        """Folder that contains the package ``torchvision``."""
        return self.folder / "torchvision"

    def program(self, name: str) -> str:
        """Return the path of a command installed here."""
        return str(self.folder / "venv" / "bin" / name)

    def run(self, command: Sequence[str], cwd: Path, path: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
        """Run one of the programs, with ``path`` before the installed packages.

        Linters exit with 1 for findings, and convlint with 2 if something could not be checked. Any other exit code
        is an error.
        """
        name, *arguments = command
        done = subprocess.run(
            [self.program(name), *arguments],
            cwd=cwd,
            env=self.variables(path),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in {0, 1, 2} or "Traceback (most recent call last)" in done.stderr:
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done

    def answer(self, module: str, *arguments: str, path: Sequence[Path] = ()) -> Any:
        """Return the JSON that a module of bench prints in its last line."""
        done = self.run(["python", "-m", module, *arguments], ROOT, (ROOT, *path))
        return json.loads(done.stdout.splitlines()[-1])

    def variables(self, path: Sequence[Path] = ()) -> dict[str, str]:
        """Return the environment variables of its programs."""
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))},
            "PYTHONPATH": os.pathsep.join(map(str, path)),
        }


def cache_folder() -> Path:
    """Return the folder of the environment, by the convention of freedesktop.org."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "convlint" / "peers"


def made(*, fresh: bool = False) -> Environment:
    """Return the environment, created if it does not exist or its pins have changed. convlint is always
    reinstalled.
    """
    folder = cache_folder()
    found = Environment(folder)
    stamp = folder / "stamp.txt"
    wanted = f"{sys.version}\n{torchvision_pin()}\n{PINS.read_text(encoding='utf-8')}"
    if fresh or not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"making {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder / "venv", with_pip=True)
        _install(found, "-r", str(PINS))
        # Its wheel is built for another torch; only the source is needed, and tools must not find it
        # by themselves, because ptflops would load it.
        _install(found, "--no-deps", "--target", str(found.torchvision), torchvision_pin())
        stamp.write_text(wanted, encoding="utf-8")
    _install(found, "--no-deps", "--force-reinstall", str(ROOT))
    return found


def torchvision_pin() -> str:
    """Return the torchvision requirement that the tests use."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torchvision=="))


def _install(place: Environment, *what: str) -> None:
    command = [place.program("pip"), "install", "-q", "--disable-pip-version-check", *what]
    subprocess.run(command, check=True, env=place.variables())
