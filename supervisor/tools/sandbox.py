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
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
# Each of /tmp and /dev/shm is memory of this size in bytes.
SCRATCH = 256 * 2**20


# A network of its own, from which neither this host's addresses nor its gateway lead back to this host.
PASTA = ("--config-net", "--no-map-gw", "--quiet", *(word for way in "tuTU" for word in (f"-{way}", "none")))
# The address at which pasta answers in place of this host's name server, and a file that names it.
NAME_SERVER = "169.254.1.1"
RESOLV_CONF = Path(__file__).with_name("resolv.conf")


@dataclass(frozen=True)
class Sandbox:
    """`bwrap` is the program; `hidden` are folders that no command sees, whatever its persona may read.

    `pasta` is the program that makes a network of its own for commands that may use the network; where it is empty,
    these share the network of this host.
    """

    bwrap: str
    hidden: tuple[Path, ...] = ()
    pasta: str = ""


def bwrap_command(
    sandbox: Sandbox,
    program: Sequence[str],
    *,
    folder: Path,
    read: Sequence[Path] = (),
    network: bool = False,
) -> list[str]:
    """The command line that runs `program` in the sandbox, with `folder` to write in. All paths are resolved ones."""
    hidden = [str(path) for path in sandbox.hidden]
    own_network = network and sandbox.pasta
    return [
        *((sandbox.pasta, *PASTA, "--dns-forward", NAME_SERVER, "--") if own_network else ()),
        sandbox.bwrap,
        *("--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        "--unshare-cgroup-try",
        *(() if network else ("--unshare-net",)),
        *("--die-with-parent", "--cap-drop", "ALL"),
        *(word for path in SYSTEM for word in ("--ro-bind-try", path, path)),
        *(word for name in ETC for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")),
        *("--ro-bind-try", str(RESOLV_CONF) if own_network else "/etc/resolv.conf", "/etc/resolv.conf"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in ("/dev/shm", "/tmp") for word in ("--size", str(SCRATCH), "--tmpfs", path)),  # noqa: S108
        *(word for path in read for word in ("--ro-bind-try", str(path), str(path))),
        # After all that may contain them, and before the session's folder, which they may contain.
        *(word for path in hidden for word in ("--tmpfs", path)),
        *("--bind", str(folder), str(folder)),
        # A process of root could otherwise write the kernel's settings, some of which name programs to run.
        *(word for path in (*hidden, "/dev", "/proc", "/") for word in ("--remount-ro", path)),
        *("--chdir", str(folder), "--", *program),
    ]
