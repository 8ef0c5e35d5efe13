"""Run as a script: runs the given program, which ends when the process that started it ends.

    python -I -S guard.py prctl SIGNAL PARENT_PID PROGRAM ARGUMENTS…
    python -I -S guard.py pipe SIGNAL DESCRIPTOR PROGRAM ARGUMENTS…
    python -I -S guard.py reap SIGNAL DESCRIPTOR PROGRAM ARGUMENTS…

`prctl` (Linux): the kernel sends the signal when the starting *thread* ends; start it from one that lives on.
`pipe` (anywhere): a small process waits for the end of the pipe DESCRIPTOR, whose other end the starter has,
and then sends the signal to the whole process group; start it in a new session.
`reap` (Linux): as `pipe`, and with the program, or at the end of the pipe, every process ends that came from it, in
whatever session or group; this process is their parent and ends as the program did. The starter may send SIGTERM to
the group: it reaches the program and not this process. See prctl(2), PR_SET_CHILD_SUBREAPER.
`prctl` and `pipe` become the program. It runs before any site-packages: only the standard library.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def watch_by_kernel(number: int, parent: int) -> None:
    """Ask for the signal at the parent's end; exits at once if the parent has ended already."""
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("the process that started this has ended")


def watch_by_pipe(number: int, descriptor: int) -> None:
    """Leave a process behind that signals its group, which is ours, at the end of the pipe."""
    if (child := os.fork()) > 0:
        os.waitpid(child, 0)
        os.close(descriptor)
        return
    # A grandchild: the program must not find a child that it never started.
    if os.fork() > 0:
        os._exit(0)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.dup2(descriptor, 0)
    # The program's output must not stay open because of us, nor its locks.
    os.closerange(1, 4096)
    while os.read(0, 4096):
        pass
    # We are in the group, so its number cannot have become that of another process.
    os.killpg(os.getpgrp(), number)
    os._exit(0)


def run_and_reap(number: int, descriptor: int, program: list[str]) -> None:
    """Run the program, end all that came from it with it or at the end of the pipe, and end as it did."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        os.close(descriptor)
        os.execv(program[0], program)  # noqa: S606  no shell is wanted
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # The program's output must not stay open because of us.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    watched = select.poll()
    watched.register(os.pidfd_open(child), select.POLLIN)
    watched.register(descriptor, select.POLLIN | select.POLLHUP)
    watched.poll()
    status = end_descendants(number, child)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # A core dump is the program's to write, and was.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def end_descendants(number: int, child: int) -> int:
    """Signal until this process has no child any more; the result is the status with which `child` ended."""
    status = 0
    while True:
        try:
            ended, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if ended == child:
            status = how
        if not ended:
            for descendant in descendants():
                try:
                    os.kill(descendant, number)
                except ProcessLookupError:
                    continue
            time.sleep(0.001)


def descendants() -> set[int]:
    """All processes that come from this one, as far as /proc shows them."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    # The name stands in brackets and may hold anything; the parent is the second field after it.
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


def main(arguments: list[str]) -> None:
    mode, number, subject, *program = arguments
    if mode == "reap":
        run_and_reap(int(number), int(subject), program)
    watch = watch_by_kernel if mode == "prctl" else watch_by_pipe
    watch(int(number), int(subject))
    os.execv(program[0], program)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
