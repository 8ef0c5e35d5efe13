"""For programs: `--json` gives one document that parses, or one event a line."""

from __future__ import annotations

import json

from supervisor.session_log.render.document import FORMAT
from tests.cli.served import Cli, until


def test_reading_and_acting_on_one_session(cli: Cli) -> None:
    session_id = cli.launched("go through every verb")
    assert cli.json("list", "--persona", "sre", "--limit", "500")[0]["persona"] == "sre"
    shown = cli.json("show", session_id)
    assert [call["call_id"] for call in shown["calls"]] == ["2.1", "2.2"]

    paused = cli.json(
        "pause", session_id, "--until", "webhook: redis_ready", "--until", "in: 2h", "-r", "wait"
    )
    assert paused["status"] == "paused"
    assert paused["session_id"] == session_id
    assert paused["resume_token"]
    assert paused["conditions"][0] == "webhook: redis_ready"
    assert cli.json("show", session_id)["pause"]["detail"] == "wait"

    resumed = cli.json(
        "resume", session_id, "--context", "it is there", "--data", '{"redis_url": "redis://x"}'
    )
    assert resumed["pause"] is None
    token = cli.json("pause", session_id, "--until", "webhook: redis_ready")["resume_token"]
    assert "waits for no event" in cli("resume", session_id, "--trigger", "event", code=1).stderr
    assert cli.json("resume-token", token, "--data", '{"ok": true}')["pause"] is None
    assert "already" in cli("resume-token", token, code=1).stderr

    reminder = cli.json("remind", session_id, "in 30m", "look at it")
    assert reminder["text"] == "look at it"
    cli("remind", session_id, reminder["id"], "--drop")
    assert cli.json("show", session_id)["reminders"] == []

    cli.json("tell", session_id, "be quick")
    denied = cli.json("deny", session_id, "2.2", "--yes", "--reason", "not now")
    assert [call["phase"] for call in denied["calls"] if call["call_id"] == "2.2"] in ([], ["denied"])
    cli.json("approve", session_id, "--yes")
    until(lambda: cli.json("show", session_id)["status"] == "completed")

    events = [json.loads(line) for line in cli("log", session_id, "--json").stdout.splitlines()]
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    assert kinds[0] == "SessionLaunched"
    assert kinds[-1] == "Completed"
    resumption = next(event for event in events if event["type"] == "Resumed")
    assert resumption["data"]["data"] == {"redis_url": "redis://x"}
    tailed = cli("tail", session_id, "--lines", "3", "--json").stdout.splitlines()
    assert [json.loads(line) for line in tailed] == events[-3:]
    assert cli("log", session_id, "--markdown").stdout.startswith(f"---\nsession_log: {FORMAT}\n")
    assert "completed: Done with" in cli("log", session_id).stdout


def test_an_event_wakes_those_who_wait_for_it(cli: Cli) -> None:
    session_id = cli.launched("wait for a deploy")
    cli("pause", session_id, "--until", 'event: deploy.finished where env == "prod"')
    assert cli.json("event", "deploy.finished", "--data", '{"env": "test"}')["resumed"] == []
    assert cli.json("event", "deploy.finished", "--data", '{"env": "prod"}')["resumed"] == [session_id]
    assert "nobody waits" in cli("event", "deploy.finished", given="").stdout.lower()


def test_schedules(cli: Cli) -> None:
    added = cli.json("schedule", "add", "0 9 * * MON", "sre", "weekly report")
    assert added["zone"] == "Europe/Berlin"
    assert added["next_times"][0] == added["due"]
    assert len(set(added["next_times"])) == 3
    assert cli.json("schedule", "pause", added["id"])["due"] is None
    assert cli.json("schedule", "resume", added["id"])["due"]
    launched = cli.json("schedule", "run", added["id"])
    assert launched["task"] == "weekly report"
    assert [row["last_session"] for row in cli.json("schedule", "list")] == [launched["id"]]
    spoken = cli("schedule", "add", "30 8 * * *", "sre", "daily report").stdout
    assert spoken.count("08:30") == 3
    made = next(row for row in cli.json("schedule", "list") if row["task"] == "daily report")
    cli("schedule", "delete", made["id"])
    cli("schedule", "delete", added["id"])
    assert cli.json("schedule", "list") == []


def test_personas_and_keys(cli: Cli) -> None:
    assert "sre" in [row["name"] for row in cli.json("personas")]
    made = cli.json("keys", "create", "pipeline", "--scope", "read", "--scope", "launch")
    assert made["scopes"] == ["launch", "read"]
    assert cli("list", FLAGMAN_API_KEY=made["key"], FLAGMAN_URL=_url(cli)).returncode == 0
    assert made["id"] in [row["id"] for row in cli.json("keys", "list")]
    cli("keys", "revoke", made["id"])
    refused = cli("list", code=1, FLAGMAN_API_KEY=made["key"], FLAGMAN_URL=_url(cli))
    assert "not known here, or was revoked" in refused.stderr


def _url(cli: Cli) -> str:
    found: str = json.loads((cli.folder / ".flagman" / "cli.key").read_text())["url"]
    return found
