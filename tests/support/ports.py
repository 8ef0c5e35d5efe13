"""Ports for servers that tests start."""

from __future__ import annotations

import os
import random
import socket

# Below 32768, where Linux begins to take the ports of outgoing connections: a port from there can
# be taken by any connection between this choice and the start of the server.
_FIRST, _LAST = 16_000, 32_000


def free_port() -> int:
    """A TCP port on which nothing listens, and which no other worker of this run will choose.

    Raises:
        RuntimeError: None of the ports tried is free.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = range(_FIRST + int(worker) % count, _LAST, count)
    for port in random.SystemRandom().sample(mine, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("None of 200 ports on 127.0.0.1 is free.")
