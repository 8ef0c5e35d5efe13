"""A server that misbehaves in the way that its first argument names; its second one is its folder. Without the SDK."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HOW, FOLDER = sys.argv[1], Path(sys.argv[2])
SCHEMA = {"type": "object"}
# Calls that have no answer yet, or were made at all.
WAITING: list[Any] = []


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listed(params: Any) -> dict[str, Any]:
    if HOW == "pages":
        page = int(params.get("cursor") or 0) + 1
        return {"tools": [{"name": f"t{page}", "inputSchema": SCHEMA}], "nextCursor": str(page)}
    if HOW == "names":
        names = ["a.b", "a/b", "x" * 100, "ok", "ok", "naïve"]
        return {"tools": [{"name": name, "inputSchema": SCHEMA} for name in names]}
    if HOW == "huge-definition":
        large = {"name": "large", "description": "d" * 100_000, "inputSchema": SCHEMA}
        return {"tools": [large, {"name": "small", "inputSchema": SCHEMA}]}
    more = [{"name": "new", "inputSchema": SCHEMA}] if HOW == "changes" and WAITING else []
    return {"tools": [{"name": "t", "inputSchema": SCHEMA}, *more]}


def beside(number: Any) -> bool:
    """Do something else in the middle of a call; returns whether the call has its answer by that, or waits."""
    if HOW == "asks":
        schema = {"type": "object", "properties": {"name": {"type": "string"}}}
        send(
            id="e1",
            method="elicitation/create",
            params={"message": "Who are you?", "requestedSchema": schema},
        )
        answered = json.loads(sys.stdin.readline())
        send(id=number, result={"content": [{"type": "text", "text": json.dumps(answered["result"])}]})
        return True
    if HOW == "needs-address" and not (FOLDER / "opened").exists():
        wanted = {
            "mode": "url",
            "elicitationId": "e1",
            "url": "https://sign.example.com/in",
            "message": "Sign in.",
        }
        send(id=number, error={"code": -32042, "message": "first", "data": {"elicitations": [wanted]}})
        return True
    if HOW == "stderr":
        sys.stderr.write("x" * 2**20)
    if HOW in ("ping", "sampling/createMessage", "roots/list"):
        params = {"messages": [], "maxTokens": 1} if HOW.startswith("sampling") else {}
        send(id="p1", method=HOW, params=params)
        answered = json.loads(sys.stdin.readline())
        said = "error" if "error" in answered else "answered"
        send(id=number, result={"content": [{"type": "text", "text": said}]})
        return True
    if HOW == "strange-answers":
        send(id=12345, result={"content": [{"type": "text", "text": "of another call"}]})
        send(id=None, error={"code": -32700, "message": "what?"})
    if HOW == "asks-two":
        # It answers both calls once it has been told about what it asks in the first of them.
        WAITING.append(number)
        if len(WAITING) == 2:
            schema = {"type": "object", "properties": {"name": {"type": "string"}}}
            send(id="e1", method="elicitation/create", params={"message": "Who?", "requestedSchema": schema})
            said = json.loads(sys.stdin.readline())["result"]["action"]
            for one in WAITING:
                send(id=one, result={"content": [{"type": "text", "text": said}]})
        return True
    if HOW == "asks-late":
        # It asks about the first call, which was given up by then, while it has the second one.
        WAITING.append(number)
        if len(WAITING) == 2:
            schema = {"type": "object", "properties": {"name": {"type": "string"}}}
            send(id="e1", method="elicitation/create", params={"message": "Who?", "requestedSchema": schema})
            said = json.loads(sys.stdin.readline())["result"]["action"]
            send(id=number, result={"content": [{"type": "text", "text": said}]})
        return True
    if HOW == "changes":
        WAITING.append(number)
        send(method="notifications/tools/list_changed")
    return False


def call(number: Any) -> None:
    if HOW == "flood":
        while True:
            send(method="notifications/progress", params={"progressToken": 1, "progress": 1})
    if HOW == "endless-line":
        while True:
            sys.stdout.write("x" * 2**20)
    if beside(number):
        return
    if HOW == "no-result":
        send(id=number, result={"content": [{"type": "of-my-own", "x": 1}]})
        return
    send(id=number, result={"content": [{"type": "text", "text": "done"}]})


def begin() -> None:
    if HOW == "exit":
        sys.exit("no such database")
    if HOW == "mute":
        time.sleep(3600)
    if HOW == "orphan":
        child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
        (FOLDER / "orphan").write_text(str(child.pid))
    if HOW == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def answer(number: Any, method: str, params: Any) -> None:
    if method == "initialize":
        about = {
            "serverInfo": {"name": "hostile", "version": "1"},
            "capabilities": {"tools": {"listChanged": True}},
        }
        send(id=number, result={"protocolVersion": params["protocolVersion"], **about})
    elif method == "tools/list" and HOW != "never-lists":
        send(id=number, result=listed(params))
    elif method == "tools/call":
        call(number)
    elif number is not None and method != "tools/list":
        send(id=number, error={"code": -32601, "message": "no such method"})


begin()
for line in sys.stdin:
    if HOW == "junk":
        print("INFO: I log to the standard output", "\x00", flush=True)
    message = json.loads(line)
    answer(message.get("id"), message["method"], message.get("params") or {})
while HOW == "deaf":
    # It goes on after its input has ended.
    time.sleep(1)
