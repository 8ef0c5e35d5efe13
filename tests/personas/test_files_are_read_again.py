"""Persona files are read again when they change, and a mistake in one leaves what was in use before."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from supervisor.core.errors import PersonaInvalid
from supervisor.personas import folder as module
from supervisor.personas.folder import PersonaFolder
from tests.personas.test_loader import GOOD, TOOLS


class Folder:
    """A folder that is looked at whenever it is asked, with files that were written a while ago."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._age = 1000
        self.write("helper", GOOD)
        self.read = PersonaFolder(path, TOOLS)

    def write(self, name: str, text: str, *, settled: bool = True) -> None:
        """Replace a file, as many editors do, or write into it."""
        file = self.path / f"{name}.md"
        if settled:
            (self.path / f".{name}.new").write_text(text)
            (self.path / f".{name}.new").rename(file)
        else:
            file.write_text(text)
        self.settle(file if settled else None)

    def settle(self, file: Path | None = None) -> None:
        """Make the folder, and a file, look as changed a while ago, each time at another moment."""
        self._age -= 1
        for path in (self.path, file):
            if path:
                at = os.stat(path).st_mtime - self._age
                os.utime(path, (at, at))

    def steps(self) -> dict[str, int]:
        """The personas in use, told apart by a limit."""
        return {name: persona.budgets.max_steps for name, persona in self.read.personas().items()}

    def said(self) -> list[str]:
        return [problem.said for problem in self.read.problems()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    return Folder(tmp_path)


def steps(number: int, name: str = "helper") -> str:
    return GOOD.replace("max_steps: 7", f"max_steps: {number}").replace("name: helper", f"name: {name}")


def test_a_change_a_new_file_a_rename_and_a_deletion_count(folder: Folder) -> None:
    assert folder.steps() == {"helper": 7}
    folder.write("helper", steps(8))
    folder.write("other", steps(3, "other"))
    assert folder.steps() == {"helper": 8, "other": 3}
    (folder.path / "other.md").rename(folder.path / "moved.md")
    folder.settle()
    assert folder.steps() == {"helper": 8, "other": 3}
    folder.write("moved", steps(4, "renamed"))
    assert folder.steps() == {"helper": 8, "renamed": 4}
    (folder.path / "moved.md").unlink()
    folder.settle()
    assert (folder.steps(), folder.said()) == ({"helper": 8}, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("max_steps: 7", "max_steps: none"), "line 13 of helper.md: `budgets.max_steps`: "),
        (
            GOOD.replace("---\n\nBe kind.", ""),
            "line 1 of helper.md: the front matter that begins here has no clos",
        ),
        (GOOD.replace("shell, ", "shel, "), "line 4 of helper.md: there is no tool `shel`; there are "),
        ("\x00", "line 1 of helper.md: the front matter is missing"),
    ],
)
def test_a_broken_file_stays_in_use_as_it_was(folder: Folder, text: str, said: str) -> None:
    folder.write("helper", text)
    (problem,) = folder.read.problems()
    assert problem.said.startswith(f"There is a mistake in {said}")
    assert problem.stale
    assert problem.said.endswith("Until it is mended, the version before is used.")
    assert (problem.persona, folder.steps()) == ("helper", {"helper": 7})
    folder.settle()
    assert folder.read.problems() == [problem]
    folder.write("helper", steps(9))
    assert (folder.steps(), folder.said()) == ({"helper": 9}, [])
    folder.write("helper", text)
    assert folder.read.problems()[0].since > problem.since
    assert folder.steps() == {"helper": 9}


def test_a_new_file_that_is_broken_is_told_by_its_name(folder: Folder) -> None:
    folder.write("new", GOOD.replace("name: helper", "name: Not A Name"))
    (problem,) = folder.read.problems()
    assert (problem.file, problem.persona, problem.stale) == ("new.md", "", False)
    assert folder.steps() == {"helper": 7}


def test_a_name_stays_with_the_file_that_had_it(folder: Folder) -> None:
    folder.write("again", steps(1))
    assert folder.steps() == {"helper": 7}
    (said,) = folder.said()
    assert said == "There is a mistake in line 2 of again.md: the name `helper` is already used in helper.md."
    (folder.path / "helper.md").unlink()
    folder.settle()
    assert (folder.steps(), folder.said()) == ({"helper": 1}, [])


def test_an_agent_that_is_gone_is_told_where_it_is_named(folder: Folder) -> None:
    folder.write("other", steps(3, "other"))
    folder.write("helper", GOOD.replace("tools:", "agents: [other]\ntools:"))
    assert folder.said() == []
    (folder.path / "other.md").unlink()
    folder.settle()
    (said,) = folder.said()
    assert said == "There is a mistake in line 4 of helper.md: there is no persona `other`; there are helper."


def test_a_file_that_is_being_written_is_not_read_yet(folder: Folder) -> None:
    folder.write("helper", steps(8)[:60], settled=False)
    assert (folder.steps(), folder.said()) == ({"helper": 7}, [])
    folder.write("helper", steps(8))
    assert folder.steps() == {"helper": 8}
    # One that has just been deleted may be about to be replaced.
    (folder.path / "helper.md").rename(folder.path / "helper.md~")
    assert folder.steps() == {"helper": 8}


def test_a_clock_that_is_ahead_only_delays(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("helper", steps(8))
    at = os.stat(folder.path / "helper.md").st_mtime + 10**6
    os.utime(folder.path / "helper.md", (at, at))
    assert folder.steps() == {"helper": 7}
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0.0)
    assert folder.steps() == {"helper": 8}


def test_an_empty_or_missing_folder_takes_nobody_away(folder: Folder) -> None:
    (folder.path / "helper.md").rename(folder.path / "helper.txt")
    folder.settle()
    assert folder.steps() == {"helper": 7}
    assert "the folder holds no persona" in folder.said()[0]
    folder.path.rename(folder.path.with_name("away"))
    assert "the folder cannot be read (No such file or directory)" in folder.said()[0]
    folder.path.with_name("away").rename(folder.path)
    (folder.path / "helper.txt").rename(folder.path / "helper.md")
    folder.settle()
    assert (folder.steps(), folder.said()) == ({"helper": 7}, [])


def test_a_file_that_could_not_be_read_is_tried_again_though_nothing_changed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    folder.write("helper", steps(8))
    with monkeypatch.context() as out_of_files:
        out_of_files.setattr(os, "open", refused)
        assert folder.steps() == {"helper": 7}
        assert "the file cannot be read (Too many open files)" in folder.said()[0]
    assert (folder.steps(), folder.said()) == ({"helper": 8}, [])


def test_a_change_that_keeps_the_size_and_the_time_of_a_file_counts(folder: Folder) -> None:
    file = folder.path / "helper.md"
    before = file.stat()
    file.write_text(steps(8))
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_ino) == (before.st_size, before.st_ino)
    assert folder.steps() == {"helper": 8}


def test_what_is_no_file_is_told_and_not_opened(folder: Folder) -> None:
    os.mkfifo(folder.path / "pipe.md")
    (folder.path / "folder.md").mkdir()
    for name in ("pipe.md", "folder.md"):
        folder.settle(folder.path / name)
    assert folder.steps() == {"helper": 7}
    assert folder.said() == [
        f"There is a mistake in line 1 of {name}.md: this is a folder, pipe, socket or device and no file; "
        "give it a name without .md."
        for name in ("folder", "pipe")
    ]


def test_files_of_editors_are_no_personas(folder: Folder) -> None:
    (folder.path / ".#helper.md").symlink_to("somebody@somewhere.1234")
    (folder.path / "._helper.md").write_bytes(b"\x00\x05\x16\x07")
    folder.settle()
    assert (folder.steps(), folder.said()) == ({"helper": 7}, [])
    (folder.path / "gone.md").symlink_to("nowhere")
    folder.settle()
    assert "the file cannot be read (No such file or directory)" in folder.said()[0]


def test_the_first_reading_refuses_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "helper.md").write_text("nothing")
    with pytest.raises(PersonaInvalid, match=r"helper\.md:1: the front matter is missing"):
        PersonaFolder(tmp_path, TOOLS)
