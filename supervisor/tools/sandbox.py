"""The sandbox of commands: bubblewrap with its own processes, files and network. Pure; `executor.py` runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# What every command can read. Of /etc only what programs need: the rest of it may hold secrets.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "profile",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
# Each of /tmp and /dev/shm is memory of this size in bytes.
SCRATCH = 256 * 2**20


@dataclass(frozen=True)
class Sandbox:
    """`bwrap` is the program; `hidden` are folders that no command sees, whatever its persona may read."""

    bwrap: str
    hidden: tuple[Path, ...] = ()


def bwrap_command(
    sandbox: Sandbox,
    program: Sequence[str],
    *,
    folder: Path,
    descriptor: int,
    status: int,
    read: Sequence[Path] = (),
    network: bool = False,
) -> list[str]:
    """The command line that runs `program` in the sandbox, with the open folder `descriptor` at `folder` to write in.

    Bubblewrap closes the descriptor, and writes to the descriptor `status` how it went; see `has_begun`. All paths are
    resolved ones. A command with the network shares that of this host.
    """
    hidden = [str(path) for path in sandbox.hidden]
    return [
        sandbox.bwrap,
        *("--json-status-fd", str(status)),
        *("--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        "--unshare-cgroup-try",
        *(() if network else ("--unshare-net",)),
        *("--die-with-parent", "--cap-drop", "ALL"),
        *(word for path in SYSTEM for word in ("--ro-bind-try", path, path)),
        *(word for name in ETC for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in ("/dev/shm", "/tmp") for word in ("--size", str(SCRATCH), "--tmpfs", path)),  # noqa: S108
        *(word for path in read for word in ("--ro-bind-try", str(path), str(path))),
        # After all that may contain them, and before the session's folder, which they may contain.
        *(word for path in hidden for word in ("--tmpfs", path)),
        # The path may lead elsewhere by now, since it can be inside the folder of another session.
        *("--bind-fd", str(descriptor), str(folder)),
        # A process of root could otherwise write the kernel's settings, some of which name programs to run.
        *(word for path in (*hidden, "/dev", "/proc", "/") for word in ("--remount-ro", path)),
        *("--chdir", str(folder), "--", *program),
    ]


def has_begun(status: bytes) -> bool:
    """Whether bubblewrap came as far as starting the program, by what it wrote when it ended."""
    return b'"exit-code"' in status
