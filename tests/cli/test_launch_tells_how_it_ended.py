"""`launch --wait` shows what happens, and its exit code says how it ended."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from handlers.origin import SlackChannels
from supervisor.contract.views import session_view
from supervisor.core.events import Failed
from supervisor.core.reducer import fold
from tests.cli.served import Cli, environment, until
from tests.core.build import AT, SID, by, launched


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def newest_waiting(cli: Cli, task: str) -> str:
    """The session with this task, as soon as it waits for an approval."""
    found: list[str] = []

    def look() -> bool:
        rows = cli.json("list", "--status", "paused")
        found[:] = [row["id"] for row in rows if row["task"] == task]
        return bool(found)

    until(look)
    return found[0]


def test_it_ends_with_0_once_somebody_else_has_approved(cli: Cli) -> None:
    waiting = cli.start("launch", "sre", "look, report and be approved", "--wait")
    session_id = newest_waiting(cli, "look, report and be approved")
    cli("approve", session_id, "--yes")
    code, out, err = finished(waiting)
    assert code == 0
    assert out.startswith("Done with: look, report and be approved")
    assert session_id in err
    assert f"flagman approve {session_id}" in err
    assert "approved 2.1" in err
    assert "completed" in err
    assert "\x1b" not in out + err


def test_it_ends_with_5_when_cancelled(cli: Cli) -> None:
    waiting = cli.start("launch", "sre", "be cancelled", "--wait", "--json")
    session_id = newest_waiting(cli, "be cancelled")
    cli("cancel", session_id, "--reason", "not today")
    code, out, err = finished(waiting)
    assert (code, err) == (5, "")
    assert json.loads(out)["status"] == "cancelled"


def test_it_ends_with_3_when_it_needs_a_person(cli: Cli) -> None:
    done = cli("launch", "sre", "need somebody", "--wait", "--until", "person", code=3)
    assert "waiting for an approval" in done.stderr
    assert done.stdout == ""


def test_it_ends_with_3_when_the_time_is_over(cli: Cli) -> None:
    state = json.loads(cli("launch", "sre", "take long", "--wait", "--timeout", "2", "--json", code=3).stdout)
    assert state["waiting_for"] == "human_approval_required"


def test_without_wait_it_prints_the_id_and_the_same_key_gives_the_same_session(cli: Cli) -> None:
    first = cli("launch", "sre", "once", "--idempotency-key", "k-1").stdout
    assert cli("launch", "sre", "once", "--idempotency-key", "k-1").stdout == first
    refused = cli("launch", "sre", "another", "--idempotency-key", "k-1", code=1)
    assert "already used for a different request" in refused.stderr


def test_the_task_may_come_from_standard_input(cli: Cli) -> None:
    session_id = cli("launch", "sre", "-", given="what the pipe says\n").stdout.strip()
    assert cli.json("show", session_id)["task"] == "what the pipe says"


@pytest.fixture
def failing() -> Iterator[str]:
    """A Flagman whose only session has failed: no persona of the demo does."""
    session = fold(SID, [launched(), Failed(**by(), error="It broke.")])
    # A newer Flagman says more than this one knows.
    state = {**session_view(session, {}, AT, SlackChannels()).model_dump(mode="json"), "brand_new": {"a": 1}}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"" if self.path.endswith("/events") else json.dumps(state).encode()
            self.send_response(200 if body else 204)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_it_ends_with_4_when_it_failed(failing: str, tmp_path: Path) -> None:
    cli = Cli(tmp_path, environment(FLAGMAN_URL=failing))
    assert cli("launch", "sre", "fail", "--wait", code=4).stdout == "It broke.\n"
