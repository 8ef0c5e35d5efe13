"""The steps of the Dockerfile that need no engine: what is copied is there, all is pinned, the wheel is whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.files import ROOT

TEXT = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
STEPS = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]
COPIED = [words.split()[:-1] for name, words in STEPS if name == "COPY" and "--from" not in words]


def test_what_is_copied_is_there_and_sent_to_the_engine() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in (source for sources in COPIED for source in sources):
        assert (ROOT / source).exists()
        assert source in sent
    assert sorted(sent) == sorted(source for sources in COPIED for source in sources), "nothing else is sent"
    packages = re.findall(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    assert all(f"{name}/" in sent for name in re.findall(r'"(\w+)"', packages))


def test_every_dependency_has_a_hash_and_the_image_is_for_nobody_special() -> None:
    installs = [words for name, words in STEPS if name == "RUN" and "pip install" in words]
    assert all("--require-hashes" in words or "--no-index" in words for words in installs)
    for file in ("base", "build"):
        lines = (ROOT / "requirements" / f"{file}.txt").read_text().splitlines()
        pins = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert all("==" in line and line.endswith("\\") for line in pins)
    last = [name for name, _ in STEPS][::-1].index("FROM")
    final = dict(STEPS[-last:])
    assert final["USER"] == "10001:10001"
    assert final["VOLUME"] == "/data"
    assert final["ENTRYPOINT"] == '["flagman"]'
    assert "/readyz" in final["HEALTHCHECK"]
    assert not any(fnmatch(words, "*SECRET*") for name, words in STEPS if name in ("ARG", "ENV"))


def test_the_wheel_has_all_that_runs(tmp_path: Path) -> None:
    """Built as the file says, from the files that the engine gets, in an environment with the pinned builder."""
    source, build = tmp_path / "src", tmp_path / "build"
    for name in (name for names in COPIED for name in names):
        ignored = shutil.ignore_patterns("__pycache__", ".flagman")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", build], check=True)
    pinned = source / "requirements" / "build.txt"
    pip = str(build / "bin" / "pip")
    install = [pip, "install", "-q", "--require-hashes", "-r", str(pinned)]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no package index is in reach: {done.stderr.strip().splitlines()[-1]}")
    command = next(words for name, words in STEPS if name == "RUN" and "hatchling build" in words)
    words = command.replace("/opt/build", str(build)).replace("/wheels", str(tmp_path / "wheels")).split()
    subprocess.run(words, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").glob("flagman-*.whl")
    with zipfile.ZipFile(wheel) as found:
        names = set(found.namelist())
    packages = ("bot", "flagman", "handlers", "storage", "supervisor")
    mine = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert mine <= names
