"""A script that runs the given program and ends it when the process that started the script ends.

    python -I -S guard.py prctl SIGNAL PARENT_PID inf -1 PROGRAM ARGUMENTS…
    python -I -S guard.py pipe SIGNAL DESCRIPTOR DEADLINE FOLDER PROGRAM ARGUMENTS…
    python -I -S guard.py reap SIGNAL DESCRIPTOR DEADLINE FOLDER LIMITS PROGRAM ARGUMENTS…

`prctl` (Linux): the kernel sends the signal when the starting *thread* ends, which has to live as long as needed.
`pipe` (all systems): a small process waits for the end of the pipe DESCRIPTOR, whose other end the starter has,
and then sends the signal to the whole process group; start it in a new session.
`reap` (Linux): as `pipe`, but all descendants of the program, of any session or group, end with it or at the end of
the pipe. This process stays their parent and ends with the program's exit code. SIGTERM to this process is passed on
to them, but not to those that make a namespace of processes for the others. LIMITS is a JSON object with `memory`,
`file_size` and `disk` in bytes and the number of `tasks` (processes and threads); descendants that are over one are
ended. `disk` is what they may add to the folder with the descriptor `folder`, which is FOLDER where that is -1.
See prctl(2), PR_SET_CHILD_SUBREAPER.
After DEADLINE, in seconds of the monotonic clock, the program is not started. Where there is a deadline, DESCRIPTOR is
one end of a pair of sockets, and a byte is sent to the other end right before the program starts.
FOLDER is the descriptor of the folder in which the program starts; -1: the current one.
`prctl` and `pipe` replace this process by the program. The script uses the standard library only.
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import signal
import stat
import sys
import time
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# Milliseconds between two looks at the memory and the number of tasks.
LOOK_MS = 100
# How much longer than a look at all files of the folder the pause before the next one is, and its least seconds.
REST_TIMES, REST_SECONDS = 20, 1.0
# Times of files are those of the last tick of the kernel's clock.
TICK_SECONDS = 0.02
DEEPEST = 200


def prctl(option: int, value: int) -> None:
    """Call prctl(2). Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def watch_by_kernel(number: int, parent: int) -> None:
    """Have the kernel send the signal at the end of the parent; exit at once if that has ended already."""
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("the process that started this has ended")


def watch_by_pipe(number: int, descriptor: int) -> None:
    """Start a process in this group that sends the signal to the group at the end of the pipe."""
    if (child := os.fork()) > 0:
        os.waitpid(child, 0)
        os.close(descriptor)
        return
    # A grandchild, so that the program does not have a child that it never started.
    if os.fork() > 0:
        os._exit(0)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.dup2(descriptor, 0)
    # This process must not keep the program's output and locks open.
    os.closerange(1, 4096)
    while os.read(0, 4096):
        pass
    # This process is in the group, so no other group can have its number.
    os.killpg(os.getpgrp(), number)
    os._exit(0)


def run_and_reap(number: int, descriptor: int, limits: dict[str, int], program: list[str]) -> None:
    """Run the program, end its descendants with it or at the end of the pipe, and exit with its exit code."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    folder = limits["folder"] if limits["folder"] >= 0 else os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    disk = Disk(folder, limits["disk"])
    # Handlers, unlike ignored signals, are not inherited by the program.
    for unheeded in (signal.SIGINT, signal.SIGHUP):
        signal.signal(unheeded, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: send(signal.SIGTERM, innermost(descendants())))
    child = os.fork()
    if child == 0:
        os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_size"], limits["file_size"]))
        execute(program)
    output = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    watched = select.poll()
    watched.register(os.pidfd_open(child), select.POLLIN)
    watched.register(descriptor, select.POLLIN | select.POLLHUP)
    while not watched.poll(LOOK_MS):
        if excess := found_excess(limits, disk):
            os.write(output, f"\n[stopped: {excess}]\n".encode())
            break
    else:
        excess = ""
    status = end_descendants(number, child)
    code = os.waitstatus_to_exitcode(status)
    if code == 0 and not excess and (left := disk.excess(set(), {}, at_end=True)):
        os.write(output, f"\n[it has left {left}]\n".encode())
        excess = left
    if code == 0 and excess:
        # It may have ended by itself right before it was to be stopped.
        code = 1
    if code < 0:
        # The program has already written its core dump.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def found_excess(limits: dict[str, int], disk: Disk) -> str:
    """Which limit the descendants are over; empty where none is."""
    tasks = memory = shared = 0
    pids = descendants_now()
    for status in map(status_of, pids):
        tasks += int(status.get("Threads", "0"))
        # Memory of its own, not that of the files that it has mapped.
        memory += 1024 * int(status.get("RssAnon", "0 kB").split()[0])
        shared += 1024 * int(status.get("RssShmem", "0 kB").split()[0])
    nameless = nameless_files(pids)
    # A file in memory that is mapped is in both; what is only written to is in none of the processes' figures.
    memory += max(shared, sum(size for (_, in_memory), size in nameless.items() if in_memory))
    if tasks > limits["tasks"]:
        return f"more than {limits['tasks']} processes and threads"
    if memory > limits["memory"]:
        return f"more than {limits['memory'] // 2**20} MB of memory"
    return disk.excess(pids, nameless)


# The bytes of files that have no name any more, by device and number, and by whether they are in memory.
Nameless = dict[tuple[tuple[int, int], bool], int]


def nameless_files(pids: set[int]) -> Nameless:
    """The files without a name that the processes have open: those of memfd_create, and deleted ones."""
    found: Nameless = {}
    for pid in pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                for entry in entries:
                    about = entry.stat()
                    if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                        in_memory = os.readlink(entry.path).startswith("/memfd:")
                        found[(about.st_dev, about.st_ino), in_memory] = about.st_blocks * 512
        except OSError:
            # It has just ended, or closed the file.
            continue
    return found


def written_by(pid: int) -> int:
    """The bytes that a process and its ended children have written; 0 where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            counts = dict(line.split(": ", 1) for line in file)
    except OSError:
        return 0
    # One counts what is written by calls, the other what is written to mapped files, too.
    return max(int(counts["wchar"]), int(counts["write_bytes"]))


class Disk:
    """Watches how much is added to a folder: `most` bytes at most.

    All files are looked at only where the processes have written more than that, or the whole file system has lost it,
    which takes no time to see.
    """

    def __init__(self, folder: int, most: int) -> None:
        self._folder, self._most = folder, most
        self._began, self._free, self._next = time.time() - TICK_SECONDS, self._left(), 0.0

    def excess(self, pids: set[int], nameless: Nameless, *, at_end: bool = False) -> str:
        """What there is too much of; empty where it is not. `nameless` are open files that no folder has."""
        # What ended processes have written counts as written by this one.
        lost = max(self._free - self._left(), sum(map(written_by, pids | {os.getpid()})))
        if lost <= self._most or (time.monotonic() < self._next and not at_end):
            return ""
        began = time.monotonic()
        try:
            added = self._new(self._folder, DEEPEST)
            added += sum(size for (_, in_memory), size in nameless.items() if not in_memory)
        except OSError:
            # What cannot be looked at may hold all of it.
            added = lost
        took = time.monotonic() - began
        self._next = time.monotonic() + max(REST_SECONDS, REST_TIMES * took)
        return f"more than {self._most // 2**20} MB of new files" if added > self._most else ""

    def _left(self) -> int:
        about = os.fstatvfs(self._folder)
        return about.f_bfree * about.f_frsize

    def _new(self, folder: int, deeper: int) -> int:
        """The bytes of the files below that were changed since the beginning. Raises OSError."""
        if not deeper:
            raise OSError("the folders are nested too deeply")
        found = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if about.st_ctime >= self._began:
                    found += about.st_blocks * 512
                if stat.S_ISDIR(about.st_mode):
                    found += self._below(folder, entry.name, deeper - 1)
        return found

    def _below(self, folder: int, name: str, deeper: int) -> int:
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            return 0
        try:
            return self._new(inner, deeper)
        finally:
            os.close(inner)


def innermost(pids: set[int]) -> set[int]:
    """Return the processes in the most process namespaces: those in a sandbox, or all if there is none."""
    depth = {pid: len(status_of(pid).get("NSpid", "").split()) for pid in pids}
    return {pid for pid in pids if depth[pid] == max(depth.values())}


def status_of(pid: int) -> dict[str, str]:
    """Return the fields of /proc/PID/status; none where the process has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return {}


def descendants_now() -> set[int]:
    """Return the descendants without reading other processes; one that is just being made may be missing."""
    found: set[int] = set()
    left = [os.getpid()]
    while left:
        pid = left.pop()
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    children = {int(child) for child in file.read().split()} - found
                found |= children
                left += children
        except FileNotFoundError:
            if pid == os.getpid():
                # This kernel has no such files.
                return descendants()
        except OSError:
            continue
    return found


def end_descendants(number: int, child: int) -> int:
    """Signal all descendants until there is no child any more; returns the status with which `child` ended."""
    status = 0
    while True:
        try:
            ended, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if ended == child:
            status = how
        if not ended:
            send(number, descendants())
            time.sleep(0.001)


def send(number: int, pids: set[int]) -> None:
    """Send a signal to processes, of which some may have ended."""
    # Mostly parents first, so that they do not report the ends of their children.
    for pid in sorted(pids):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def descendants() -> set[int]:
    """Return the ids of all descendants of this process in /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    # The name is in brackets and may contain any character; the parent is the second field after it.
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found: set[int] = set()
    level = [os.getpid()]
    while level:
        level = [pid for parent in level for pid in children.get(parent, ()) if pid not in found]
        found.update(level)
    return found


def execute(program: list[str]) -> NoReturn:
    """Replace this process by the program; exit with a sentence where it cannot be started."""
    # Python ignores them, and what is ignored stays so in the program: `yes | head` would end with an error.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(program[0], program)  # noqa: S606  no shell is wanted
    except OSError as error:
        os.write(2, f"{program[0]}: {error.strerror}\n".encode())
        os._exit(127)


def begin(descriptor: int, deadline: float) -> None:
    """Report that the program starts now; exit if it is too late for that."""
    if time.monotonic() > deadline:
        sys.exit("it is too late to start")
    os.write(descriptor, b"1")


def main(arguments: list[str]) -> None:
    mode, number, subject, deadline, folder, *program = arguments
    if float(deadline) != math.inf:
        begin(int(subject), float(deadline))
    if int(folder) >= 0:
        os.fchdir(int(folder))
        os.close(int(folder))
    if mode == "reap":
        run_and_reap(int(number), int(subject), json.loads(program[0]), program[1:])
    watch = watch_by_kernel if mode == "prctl" else watch_by_pipe
    watch(int(number), int(subject))
    execute(program)


if __name__ == "__main__":
    main(sys.argv[1:])
