"""What survives: messages, files, people, channels, memberships and home tabs, in one SQLite file."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    channel TEXT NOT NULL, ts TEXT NOT NULL, thread_ts TEXT, broadcast INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (channel, ts)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS threads ON messages (channel, thread_ts, ts);
CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, about TEXT NOT NULL, content BLOB);
CREATE TABLE IF NOT EXISTS members (channel TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (channel, user));
CREATE TABLE IF NOT EXISTS arranged (
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS homes (user TEXT PRIMARY KEY, view TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
TOP_LEVEL = "(thread_ts IS NULL OR thread_ts = ts OR broadcast = 1)"


class Store:
    """Each write is committed before it returns, so a killed process loses nothing that it answered for."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "playground.db" if folder else ":memory:", isolation_level=None)
        # A killed process loses nothing this way; only a power cut may lose the last moments.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def mark(self, name: str) -> str | None:
        """A remembered word, such as that the workspace was seeded."""
        row = self._db.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_mark(self, name: str, value: str) -> None:
        """Remember a word."""
        self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))

    def put_message(self, channel: str, body: Json) -> None:
        """Write a message, new or changed."""
        row = (
            channel,
            body["ts"],
            body.get("thread_ts"),
            int(body.get("subtype") == "thread_broadcast"),
            json.dumps(body),
        )
        self._db.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?)", row)

    def message(self, channel: str, ts: str) -> Json | None:
        """One message as it is now."""
        query = "SELECT body FROM messages WHERE channel = ? AND ts = ?"
        row = self._db.execute(query, (channel, ts)).fetchone()
        return json.loads(row[0]) if row else None

    def remove_message(self, channel: str, ts: str) -> None:
        """Delete a message."""
        self._db.execute("DELETE FROM messages WHERE channel = ? AND ts = ?", (channel, ts))

    def history(self, channel: str, after: str, before: str, limit: int) -> list[Json]:
        """Top-level messages between two times (both exclusive), newest first."""
        query = (
            f"SELECT body FROM messages WHERE channel = ? AND ts > ? AND ts < ? AND {TOP_LEVEL}"  # noqa: S608
            " ORDER BY ts DESC LIMIT ?"
        )
        return self._bodies(query, (channel, after, before, limit))

    def replies(self, channel: str, thread_ts: str, after: str, before: str, limit: int) -> list[Json]:
        """Replies of a thread without its parent, oldest first."""
        query = (
            "SELECT body FROM messages WHERE channel = ? AND thread_ts = ? AND ts <> thread_ts"
            " AND ts > ? AND ts < ? ORDER BY ts LIMIT ?"
        )
        return self._bodies(query, (channel, thread_ts, after, before, limit))

    def repliers(self, channel: str, thread_ts: str) -> list[tuple[str, str]]:
        """Time and author of each reply, oldest first."""
        query = (
            "SELECT ts, json_extract(body, '$.user') FROM messages"
            " WHERE channel = ? AND thread_ts = ? AND ts <> thread_ts ORDER BY ts"
        )
        return [(str(ts), str(user)) for ts, user in self._db.execute(query, (channel, thread_ts))]

    def last_ts(self, channel: str | None = None) -> str | None:
        """The time of the newest message, of a channel or of all."""
        where, values = ("WHERE channel = ?", (channel,)) if channel else ("", ())
        row = self._db.execute(f"SELECT max(ts) FROM messages {where}", values).fetchone()  # noqa: S608
        return str(row[0]) if row[0] else None

    def put_file(self, about: Json, content: bytes | None) -> None:
        """Write a file; without content that of before stays."""
        self._db.execute(
            "INSERT INTO files VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET about = excluded.about,"
            " content = coalesce(excluded.content, content)",
            (about["id"], json.dumps(about), content),
        )

    def delete_file(self, file_id: str) -> None:
        """Forget a file and its bytes."""
        self._db.execute("DELETE FROM files WHERE id = ?", (file_id,))

    def file(self, file_id: str) -> Json | None:
        """What is known about a file."""
        row = self._db.execute("SELECT about FROM files WHERE id = ?", (file_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def content(self, file_id: str) -> bytes | None:
        """The bytes of a file, once they were uploaded."""
        row = self._db.execute("SELECT content FROM files WHERE id = ?", (file_id,)).fetchone()
        return bytes(row[0]) if row and row[0] is not None else None

    def members(self, channel: str) -> list[str]:
        """Who is in a channel."""
        query = "SELECT user FROM members WHERE channel = ? ORDER BY rowid"
        return [str(user) for (user,) in self._db.execute(query, (channel,))]

    def join(self, channel: str, users: Iterable[str]) -> None:
        """Put people into a channel."""
        rows = [(channel, user) for user in users]
        self._db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", rows)

    def leave(self, channel: str, user: str) -> None:
        """Remove a user from a channel."""
        self._db.execute("DELETE FROM members WHERE channel = ? AND user = ?", (channel, user))

    def arrange(self, kind: str, ident: str, body: Json) -> None:
        """Write a person or a channel that was not there from the start, or was changed since."""
        row = (kind, ident, json.dumps(body))
        self._db.execute("INSERT OR REPLACE INTO arranged VALUES (?, ?, ?)", row)

    def arranged(self, kind: str) -> list[Json]:
        """All that were written so."""
        return self._bodies("SELECT body FROM arranged WHERE kind = ? ORDER BY rowid", (kind,))

    def put_home(self, user: str, view: Json) -> None:
        """Write the home tab of a person."""
        self._db.execute("INSERT OR REPLACE INTO homes VALUES (?, ?)", (user, json.dumps(view)))

    def homes(self) -> dict[str, Json]:
        """All home tabs, by person."""
        return {user: json.loads(view) for user, view in self._db.execute("SELECT user, view FROM homes")}

    def _bodies(self, query: str, values: tuple[Any, ...]) -> list[Json]:
        return [json.loads(body) for (body,) in self._db.execute(query, values)]
