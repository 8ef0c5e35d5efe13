"""Run as a script: becomes the given program, which then ends when the process that started it ends.

    python -I -S guard.py prctl SIGNAL PARENT_PID PROGRAM ARGUMENTS…
    python -I -S guard.py pipe SIGNAL DESCRIPTOR PROGRAM ARGUMENTS…

`prctl` (Linux): the kernel sends the signal when the starting *thread* ends; start it from one that lives on.
`pipe` (anywhere): a small process waits for the end of the pipe DESCRIPTOR, whose other end the starter has,
and then sends the signal to the whole process group; start it in a new session.
It runs before any site-packages: only the standard library.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def watch_by_kernel(number: int, parent: int) -> None:
    """Ask for the signal at the parent's end; exits at once if the parent has ended already."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
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


def main(arguments: list[str]) -> None:
    mode, number, subject, *program = arguments
    watch = watch_by_kernel if mode == "prctl" else watch_by_pipe
    watch(int(number), int(subject))
    os.execv(program[0], program)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
