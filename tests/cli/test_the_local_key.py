"""`serve` leaves a key for the command line of the same user, which opens this Flagman and no other."""

from __future__ import annotations

import stat
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.cli.served import Cli, environment, served, until
from tests.support.ports import free_port
from tests.support.process_pool import process_pool


def test_it_is_for_the_owner_alone_and_ends_with_the_process(tmp_path: Path) -> None:
    with served(tmp_path) as flagman:
        file = tmp_path / ".flagman" / "cli.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        key = flagman.key
        assert flagman.cli.json("keys", "list")[0]["created_by"] == "serve"
        assert key not in (tmp_path / "serve.log").read_text()
    assert not file.exists()
    with served(tmp_path) as flagman:
        refused = Cli(tmp_path)("list", code=1, FLAGMAN_API_KEY=key)
        assert "revoked" in refused.stderr
        assert len(flagman.cli.json("keys", "list")) == 1


def test_it_is_there_once_flagman_says_that_it_is_ready(tmp_path: Path) -> None:
    port = free_port()
    given = environment(PORT=str(port))
    process = process_pool().start("serve", given, tmp_path / "serve.log", folder=tmp_path)

    def is_ready() -> bool:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return bool(answer.status == 200)
        return False

    try:
        until(is_ready)
        assert (tmp_path / ".flagman" / "cli.key").exists()
    finally:
        process.terminate()
        process.wait()


def test_one_left_behind_by_a_kill_opens_nothing_later(tmp_path: Path) -> None:
    with served(tmp_path) as flagman:
        key = flagman.key
        flagman.process.kill()
        flagman.process.wait()
    assert (tmp_path / ".flagman" / "cli.key").exists()
    with served(tmp_path) as flagman:
        assert "revoked" in Cli(tmp_path)("list", code=1, FLAGMAN_API_KEY=key).stderr
        assert flagman.cli.json("list") == []


def test_it_is_not_sent_to_another_address(cli: Cli) -> None:
    heard: list[Any] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    server = HTTPServer(("127.0.0.1", 0), Listening)
    threading.Thread(target=server.handle_request, daemon=True).start()
    cli("list", code=1, FLAGMAN_URL=f"http://127.0.0.1:{server.server_port}")
    server.server_close()
    assert heard == [None]


def test_keys_are_made_on_a_store_that_has_none(tmp_path: Path, valkey_url: str) -> None:
    cli = Cli(tmp_path, environment(REDIS_URL=valkey_url))
    made = cli.json("keys", "create", "first", "--scope", "admin")
    assert made["key"].startswith("fm_")
    rows = cli.json("keys", "list")
    assert made["id"] in [row["id"] for row in rows]
    assert "hash" not in rows[0]
    cli("keys", "revoke", made["id"])
    assert made["id"] not in [row["id"] for row in cli.json("keys", "list")]


def test_keys_of_an_embedded_store_are_made_where_no_flagman_runs(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    made = cli.json("keys", "create", "first")
    with served(tmp_path) as flagman:
        assert cli("list", FLAGMAN_API_KEY=made["key"], FLAGMAN_URL=flagman.url).returncode == 0
