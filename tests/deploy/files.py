"""The files for a deployment, as they are read by what uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
PROCESSES = ("web", "worker", "clock")
Json = dict[str, Any]


def compose() -> Json:
    found: Json = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def manifests() -> Iterator[Json]:
    """All objects that the kustomization lists."""
    folder = DEPLOY / "kubernetes"
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        yield from yaml.safe_load_all((folder / name).read_text())


def named(kind: str, name: str) -> Json:
    return next(row for row in manifests() if (row["kind"], row["metadata"]["name"]) == (kind, name))


def env_names(text: str) -> set[str]:
    """The names that a file of variables sets."""
    return {line.partition("=")[0] for line in text.splitlines() if line and not line.startswith("#")}
