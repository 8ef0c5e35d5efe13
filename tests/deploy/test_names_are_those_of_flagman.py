"""Commands, variables, ports, probes and grace times in all files for a deployment are those of Flagman."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from bot.cli.app import app
from bot.settings import PROVIDER_KEY, VARIABLES, Settings
from bot.settings import _read as read
from tests.deploy.files import DEPLOY, PROCESSES, ROOT, Json, compose, env_names, manifests, named

COMMANDS = set(get_command(app).commands)  # type: ignore[attr-defined]
UNITS = sorted((DEPLOY / "systemd").glob("flagman-*.service"))
ROUTES = {"/healthz", "/readyz"}


def known(names: set[str]) -> bool:
    return all(name in VARIABLES or PROVIDER_KEY.fullmatch(name) for name in names)


def container(kind: str, name: str) -> Json:
    spec = named(kind, name)["spec"]["template"]["spec"]
    (found,) = spec["containers"]
    return {**found, "pod": spec}


def test_every_variable_is_one_of_flagmans() -> None:
    services = compose()["services"]
    texts = [(DEPLOY / "flagman.env.example").read_text()]
    assert all(known(env_names(text)) for text in texts)
    assert all(known(set(services[name]["environment"])) for name in PROCESSES)
    assert known(set(named("ConfigMap", "flagman")["data"]))
    assert known(set(named("Secret", "flagman")["stringData"]))
    for name in PROCESSES:
        assert known({row["name"] for row in container("Deployment", f"flagman-{name}").get("env", [])})
    for unit in UNITS:
        assert known(set(re.findall(r"^Environment=(\w+)=", unit.read_text(), re.MULTILINE)))
    image = (ROOT / "Dockerfile").read_text()
    assert {"FLAGMAN_HOST", "PORT", "FLAGMAN_DATA"} <= set(re.findall(r"\b([A-Z_]+)=", image))


def test_their_values_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {**named("ConfigMap", "flagman")["data"], **named("Secret", "flagman")["stringData"]}
    for given in (data, *(compose()["services"][name]["environment"] for name in PROCESSES)):
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            settings = read(Settings)
        assert settings.data == Path("/data")
        assert settings.port == 8080
        assert settings.redis_url


def test_every_command_is_one_of_flagmans() -> None:
    services = compose()["services"]
    for name in PROCESSES:
        assert services[name]["command"] == [name]
        assert container("Deployment", f"flagman-{name}")["args"] == [name]
        assert (
            f"ExecStart=/opt/flagman/bin/flagman {name}\n"
            in (DEPLOY / "systemd" / f"flagman-{name}.service").read_text()
        )
    assert set(PROCESSES) <= COMMANDS


def test_probes_ask_real_routes_on_the_port_that_is_listened_on() -> None:
    web = container("Deployment", "flagman-web")
    port = int(named("ConfigMap", "flagman")["data"]["PORT"])
    assert web["ports"] == [{"name": "http", "containerPort": port}]
    service = named("Service", "flagman")["spec"]
    assert service["ports"][0]["targetPort"] == "http"
    assert web["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    for probe in ("startupProbe", "livenessProbe"):
        assert web[probe]["httpGet"] == {"path": "/healthz", "port": "http"}, (
            "a store that is away is no reason"
        )
    assert named("ConfigMap", "flagman")["data"]["FLAGMAN_HOST"] == "0.0.0.0"


def test_the_heartbeat_that_is_probed_is_the_one_that_is_written() -> None:
    for name in ("worker", "clock"):
        service = compose()["services"][name]
        assert service["environment"]["FLAGMAN_HEARTBEAT"] in service["healthcheck"]["test"][1]
        pod = container("Deployment", f"flagman-{name}")
        values = {row["name"]: row["value"] for row in pod["env"]}
        probe = pod["livenessProbe"]["exec"]["command"]
        assert values["FLAGMAN_HEARTBEAT"] in probe[2]
        assert probe[2] == service["healthcheck"]["test"][1], "one check, which a test runs"


def test_a_worker_has_longer_than_its_grace() -> None:
    grace = float(named("ConfigMap", "flagman")["data"]["FLAGMAN_GRACE_SECONDS"])
    assert container("Deployment", "flagman-worker")["pod"]["terminationGracePeriodSeconds"] > grace + 10
    unit = (DEPLOY / "systemd" / "flagman-worker.service").read_text()
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(stop) > Settings().grace_seconds + 10


def test_no_pod_has_more_rights_than_it_needs() -> None:
    selectors = {}
    for row in manifests():
        if row["kind"] not in ("Deployment", "StatefulSet"):
            continue
        pod = row["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        for one in pod["containers"]:
            rights = one["securityContext"]
            assert (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]) == (False, True)
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert one["resources"]["limits"]["memory"]
        labels = row["spec"]["template"]["metadata"]["labels"]
        assert row["spec"]["selector"]["matchLabels"] == labels
        selectors[labels["part"]] = labels
    for row in manifests():
        if row["kind"] == "PodDisruptionBudget":
            assert row["spec"]["selector"]["matchLabels"] in selectors.values()
        if row["kind"] == "Service":
            assert row["spec"]["selector"] in selectors.values()
    assert selectors.keys() == {*PROCESSES, "valkey"}


def test_the_store_syncs_each_write_and_throws_nothing_away() -> None:
    pods = container("StatefulSet", "flagman-valkey")["args"]
    assert pods == compose()["services"]["valkey"]["command"]
    options = dict(zip(pods[1::2], pods[2::2], strict=True))
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for file in (DEPLOY / "systemd").iterdir():
        text = file.read_text().replace("/opt/flagman/bin/flagman", shutil.which("true") or "/bin/true")
        (tmp_path / file.name).write_text(re.sub(r"^(User|Group)=flagman$", "", text, flags=re.MULTILINE))
    given = [str(tmp_path / file.name) for file in (DEPLOY / "systemd").iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *given], capture_output=True, text=True)
    mine = [line for line in done.stderr.splitlines() if "flagman" in line]
    assert (done.returncode, mine) == (0, []), done.stderr


def test_the_workers_unit_leaves_the_sandbox_what_it_needs() -> None:
    worker, *others = (
        (DEPLOY / "systemd" / f"flagman-{name}.service").read_text() for name in ("worker", "web")
    )
    for option in ("RestrictNamespaces", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc"):
        assert not re.search(f"^{option}=", worker, re.MULTILINE)
        assert all(re.search(f"^{option}=", other, re.MULTILINE) for other in others)
    assert "AF_NETLINK" in worker
    assert "@mount" in worker
