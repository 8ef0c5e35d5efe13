"""Each dependency is pinned with hashes and needed, and what an advisory service says, or does not, is told."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STRAY = "left-over==1.0 \\\n    --hash=sha256:00\n    # via nothing\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def audit(project: Path, *arguments: str) -> tuple[int, str]:
    line = [sys.executable, str(project / "requirements" / "audit.py"), *arguments]
    ran = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def auditor(project: Path, script: str) -> None:
    """A program in the place of pip-audit."""
    program = project / ".venv" / "audit" / "bin" / "pip-audit"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_the_pinned_dependencies_are_in_order() -> None:
    assert audit(ROOT, "--offline") == (
        0,
        "Pinned with hashes, needed by pyproject.toml, and licensed: all dependencies. "
        "Nothing was audited for vulnerabilities: not asked.\n",
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text + STRAY, "base.txt: nothing in pyproject.toml needs left-over"),
        (lambda text: text + "yarn>=1\n", "base.txt: yarn>=1 is not pinned with hashes"),
        (
            lambda text: text + "git+https://example.com/x\n",
            "base.txt: git+https://example.com/x is not pinned",
        ),
        (
            lambda text: re.sub(r"(apscheduler==[^ ]+) .*?    #", r"\1\n    #", text, flags=re.DOTALL),
            "base.txt: apscheduler==3.11.3 is not pinned with hashes",
        ),
    ],
)
def test_what_is_not_in_order_is_named(project: Path, change: Callable[[str], str], problem: str) -> None:
    file = project / "requirements" / "base.txt"
    file.write_text(change(file.read_text()))
    code, said = audit(project, "--offline")
    assert code == 1
    assert problem in said


def test_what_is_no_longer_declared_is_stray(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(re.sub(r'  "cronsim[^\n]*\n', "", file.read_text()))
    code, said = audit(project, "--offline")
    lines = [f"{name}: nothing in pyproject.toml needs cronsim" for name in ("base.txt", "dev.txt")]
    assert (code, said.splitlines()[:2]) == (1, lines)


def test_a_known_vulnerability_fails(project: Path) -> None:
    rows = [{"name": "aiohttp", "version": "3", "vulns": [{"id": "PYSEC-1", "fix_versions": ["4"]}]}]
    auditor(project, f"echo '{json.dumps({'dependencies': rows})}'; exit 1")
    assert audit(project, "--offline-ok") == (1, "aiohttp 3: PYSEC-1, fixed in 4\n")


def test_no_known_vulnerability_passes(project: Path) -> None:
    auditor(project, """echo '{"dependencies": [{"name": "aiohttp", "version": "3", "vulns": []}]}'""")
    code, said = audit(project)
    assert (code, said.strip().endswith("No known vulnerabilities.")) == (0, True)


def test_a_mirror_that_knows_no_advisories_is_told(project: Path) -> None:
    auditor(project, """echo '{"dependencies": [{"name": "aiohttp", "skip_reason": "not found"}]}'""")
    for arguments, code in (((), 1), (("--offline-ok",), 0)):
        ended, said = audit(project, *arguments)
        assert (ended, "the advisory service knows none of them" in said) == (code, True)


def test_a_service_out_of_reach_passes_only_where_that_is_allowed(project: Path) -> None:
    auditor(project, "echo 'ConnectionError: no route' >&2; exit 1")
    told = "Nothing was audited for vulnerabilities: the advisory service does not answer (ConnectionError: no route)."
    for arguments, code in (((), 1), (("--offline-ok",), 0)):
        ended, said = audit(project, *arguments)
        assert (ended, told in said) == (code, True)
