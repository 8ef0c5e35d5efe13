"""Persistent state in one SQLite file: messages, files, people, channels, memberships and home tabs."""

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
    """The database; each write is committed before its method returns."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "playground.db" if folder else ":memory:", isolation_level=None)
        # With these settings a power cut can lose the last commits, but a killed process cannot.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def mark(self, name: str) -> str | None:
        """Return the value of a marker, such as `seeded`, or None."""
        row = self._db.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_mark(self, name: str, value: str) -> None:
        """Set the value of a marker."""
        self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))

    def put_message(self, channel: str, body: Json) -> None:
        """Insert a message or replace it."""
        row = (
            channel,
            body["ts"],
            body.get("thread_ts"),
            int(body.get("subtype") == "thread_broadcast"),
            json.dumps(body),
        )
        self._db.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?)", row)

    def message(self, channel: str, ts: str) -> Json | None:
        """Return a message, or None."""
        query = "SELECT body FROM messages WHERE channel = ? AND ts = ?"
        row = self._db.execute(query, (channel, ts)).fetchone()
        return json.loads(row[0]) if row else None

    def remove_message(self, channel: str, ts: str) -> None:
        """Delete a message."""
        self._db.execute("DELETE FROM messages WHERE channel = ? AND ts = ?", (channel, ts))

    def history(self, channel: str, after: str, before: str, limit: int) -> list[Json]:
        """Return top-level messages between two times (both exclusive), newest first."""
        query = (
            f"SELECT body FROM messages WHERE channel = ? AND ts > ? AND ts < ? AND {TOP_LEVEL}"  # noqa: S608
            " ORDER BY ts DESC LIMIT ?"
        )
        return self._bodies(query, (channel, after, before, limit))

    def replies(self, channel: str, thread_ts: str, after: str, before: str, limit: int) -> list[Json]:
        """Return the replies of a thread without its parent, oldest first."""
        query = (
            "SELECT body FROM messages WHERE channel = ? AND thread_ts = ? AND ts <> thread_ts"
            " AND ts > ? AND ts < ? ORDER BY ts LIMIT ?"
        )
        return self._bodies(query, (channel, thread_ts, after, before, limit))

    def repliers(self, channel: str, thread_ts: str) -> list[tuple[str, str]]:
        """Return the `ts` and the author of each reply, oldest first."""
        query = (
            "SELECT ts, json_extract(body, '$.user') FROM messages"
            " WHERE channel = ? AND thread_ts = ? AND ts <> thread_ts ORDER BY ts"
        )
        return [(str(ts), str(user)) for ts, user in self._db.execute(query, (channel, thread_ts))]

    def last_ts(self, channel: str | None = None) -> str | None:
        """Return the `ts` of the newest message in a channel, or in all channels."""
        where, values = ("WHERE channel = ?", (channel,)) if channel else ("", ())
        row = self._db.execute(f"SELECT max(ts) FROM messages {where}", values).fetchone()  # noqa: S608
        return str(row[0]) if row[0] else None

    def put_file(self, about: Json, content: bytes | None) -> None:
        """Insert a file or replace its metadata; without `content` the stored bytes are kept."""
        self._db.execute(
            "INSERT INTO files VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET about = excluded.about,"
            " content = coalesce(excluded.content, content)",
            (about["id"], json.dumps(about), content),
        )

    def delete_file(self, file_id: str) -> None:
        """Delete a file and its bytes."""
        self._db.execute("DELETE FROM files WHERE id = ?", (file_id,))

    def file(self, file_id: str) -> Json | None:
        """Return the metadata of a file, or None."""
        row = self._db.execute("SELECT about FROM files WHERE id = ?", (file_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def content(self, file_id: str) -> bytes | None:
        """Return the bytes of a file, or None before they are uploaded."""
        row = self._db.execute("SELECT content FROM files WHERE id = ?", (file_id,)).fetchone()
        return bytes(row[0]) if row and row[0] is not None else None

    def members(self, channel: str) -> list[str]:
        """Return the ids of the members of a channel."""
        query = "SELECT user FROM members WHERE channel = ? ORDER BY rowid"
        return [str(user) for (user,) in self._db.execute(query, (channel,))]

    def join(self, channel: str, users: Iterable[str]) -> None:
        """Add users to a channel."""
        rows = [(channel, user) for user in users]
        self._db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", rows)

    def leave(self, channel: str, user: str) -> None:
        """Remove a user from a channel."""
        self._db.execute("DELETE FROM members WHERE channel = ? AND user = ?", (channel, user))

    def arrange(self, kind: str, ident: str, body: Json) -> None:
        """Store a person or a channel that was added or changed."""
        row = (kind, ident, json.dumps(body))
        self._db.execute("INSERT OR REPLACE INTO arranged VALUES (?, ?, ?)", row)

    def arranged(self, kind: str) -> list[Json]:
        """Return all stored objects of a kind."""
        return self._bodies("SELECT body FROM arranged WHERE kind = ? ORDER BY rowid", (kind,))

    def put_home(self, user: str, view: Json) -> None:
        """Store a person's home tab."""
        self._db.execute("INSERT OR REPLACE INTO homes VALUES (?, ?)", (user, json.dumps(view)))

    def homes(self) -> dict[str, Json]:
        """Return all home tabs by user id."""
        return {user: json.loads(view) for user, view in self._db.execute("SELECT user, view FROM homes")}

    def _bodies(self, query: str, values: tuple[Any, ...]) -> list[Json]:
        return [json.loads(body) for (body,) in self._db.execute(query, values)]
