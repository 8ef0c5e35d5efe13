"""Hides this process's environment and memory, which hold secrets, from commands that agents run."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

PR_SET_DUMPABLE = 4


@cache
def hide_process() -> None:
    """Make `/proc/<pid>/{environ,mem}` unreadable for other processes of the same user. Linux only.

    It takes effect once for the process and also disables core dumps. Each Flagman process that has secrets should
    call it; the shell tool does. It does not protect against root with all capabilities. Raises OSError.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
