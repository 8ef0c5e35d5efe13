"""OpenAI's two HTTP shapes, read from requests and written as answers, for the scripted server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Arguments = Json | str


@dataclass(frozen=True)
class Step:
    """One answer of the server; made by the functions in `openai_server`.

    `calls`: (tool, arguments), where a string is sent as it is. `ids`: the call ids, if not made up.
    `wait`: seconds before answering. `thinking`: reasoning that comes with the answer.
    """

    kind: Literal["text", "calls", "error", "drop", "garbage", "raw"]
    text: str = ""
    calls: tuple[tuple[str, Arguments], ...] = ()
    ids: tuple[str, ...] = ()
    status: int = 200
    code: str | None = None
    retry_after: str | None = None
    wait: float = 0
    thinking: str | None = None
    input_tokens: int = 100
    output_tokens: int = 20
    finish: str = ""


@dataclass(frozen=True)
class Said:
    """One entry of a conversation as received; `call_id` joins a call and its result."""

    role: Literal["instructions", "user", "model", "call", "result", "other"]
    text: str
    name: str = ""
    call_id: str = ""


@dataclass(frozen=True)
class Recorded:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: Json

    @property
    def tools(self) -> list[str]:
        return [tool.get("function", tool)["name"] for tool in self.body.get("tools", [])]

    def conversation(self) -> list[Said]:
        """Both APIs' messages in one plain form, in the order received."""
        if "input" not in self.body:
            return [said for message in self.body["messages"] for said in _chat_message(message)]
        opening = [Said("instructions", self.body["instructions"])] if self.body.get("instructions") else []
        return [*opening, *(_response_item(item) for item in self.body["input"])]


def _chat_message(message: Json) -> Iterator[Said]:
    role, content = message["role"], _plain(message.get("content"))
    if role in ("system", "developer"):
        yield Said("instructions", content)
    elif role == "user":
        yield Said("user", content)
    elif role == "tool":
        yield Said("result", content, call_id=message["tool_call_id"])
    else:
        if content:
            yield Said("model", content)
        for call in message.get("tool_calls") or []:
            yield Said("call", call["function"]["arguments"], call["function"]["name"], call["id"])


def _response_item(item: Json) -> Said:
    match item.get("type", "message"):
        case "function_call":
            return Said("call", item["arguments"], item["name"], item["call_id"])
        case "function_call_output":
            return Said("result", _plain(item["output"]), call_id=item["call_id"])
        case "message":
            roles: dict[str, Any] = {
                "system": "instructions",
                "developer": "instructions",
                "assistant": "model",
            }
            return Said(roles.get(item["role"], "user"), _plain(item["content"]))
    return Said("other", json.dumps(item))


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _called(step: Step) -> Iterator[tuple[str, str, str]]:
    """(call id, tool, arguments as text) of each call."""
    for number, (tool, arguments) in enumerate(step.calls):
        call_id = step.ids[number] if number < len(step.ids) else f"call_{uuid.uuid4().hex[:20]}"
        yield call_id, tool, arguments if isinstance(arguments, str) else json.dumps(arguments)


def chat_body(step: Step, model: str) -> Json:
    message: Json = {"role": "assistant", "content": step.text or None}
    if step.calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": tool, "arguments": arguments}}
            for call_id, tool, arguments in _called(step)
        ]
    if step.thinking:
        message["reasoning_content"] = step.thinking
    finish = step.finish or ("tool_calls" if step.calls else "stop")
    total = step.input_tokens + step.output_tokens
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": step.input_tokens,
            "completion_tokens": step.output_tokens,
            "total_tokens": total,
        },
    }


def responses_body(step: Step, model: str) -> Json:
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "model": model,
        "output": list(_output_items(step)),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": step.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": step.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": step.input_tokens + step.output_tokens,
        },
    }


def _output_items(step: Step) -> Iterator[Json]:
    if step.thinking:
        summary = [{"type": "summary_text", "text": step.thinking}]
        yield {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "sealed"}
    if step.text:
        content = [{"type": "output_text", "text": step.text, "annotations": []}]
        message = {"type": "message", "role": "assistant", "status": "completed", "content": content}
        yield {**message, "id": f"msg_{uuid.uuid4().hex}"}
    for call_id, tool, arguments in _called(step):
        call = {"type": "function_call", "name": tool, "arguments": arguments, "status": "completed"}
        yield {**call, "id": f"fc_{uuid.uuid4().hex}", "call_id": call_id}
