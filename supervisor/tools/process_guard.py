"""Hides this process's environment and memory, which hold secrets, from commands that agents run."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

PR_SET_DUMPABLE = 4


@cache
def hide_process() -> None:
    """Close `/proc/<our id>/{environ,mem}` to other processes of the same user (Linux; elsewhere nothing).

    Once a process; it also means no core dumps. Every Flagman process that knows a secret should call it; the
    shell tool does. Against root with all its capabilities (outside a container) it does not help.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
