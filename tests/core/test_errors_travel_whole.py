"""Errors keep their type, sentence and fields on the way to a client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import bot.api.errors
from bot.sdk.errors import error_of
from supervisor.core.errors import (
    ERRORS,
    AlreadyDecided,
    ArtifactTooLarge,
    FlagmanError,
    GatewayError,
    IdempotencyConflict,
    InvalidArguments,
    InvalidInput,
    KeyNotFound,
    MissingScope,
    NotAllowed,
    PersonaInvalid,
    PersonaLost,
    PersonaNotFound,
    PersonaUnusable,
    ScheduleNotFound,
    SessionExists,
    SessionNotFound,
    StoreAway,
    TokenExpired,
    TokenForged,
    TokenUsed,
    Unavailable,
    UnknownRefusal,
    VerificationError,
)

AT = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
MADE: list[tuple[FlagmanError, dict[str, Any]]] = [
    (SessionNotFound("ab12-cd34"), {"session_id": "ab12-cd34"}),
    (SessionExists("ab12-cd34"), {"session_id": "ab12-cd34"}),
    (PersonaNotFound("sri", ["sre"]), {"name": "sri", "known": ("sre",)}),
    (PersonaInvalid("a.md", 3, "no name"), {"path": "a.md", "line": 3, "problem": "no name"}),
    (NotAllowed("No.", users=("slack:U1",), groups=("S1",)), {"users": ("slack:U1",), "groups": ("S1",)}),
    (AlreadyDecided("denied", "slack:U1", AT, name="Ada"), {"verdict": "denied", "by": "slack:U1", "at": AT}),
    (VerificationError("changed text", 7, "no"), {"kind": "changed text", "line": 7}),
    (TokenExpired(AT), {"at": AT}),
    (MissingScope("read"), {"scope": "read"}),
    (KeyNotFound("k1"), {"key_id": "k1"}),
    (ScheduleNotFound("s1"), {"schedule_id": "s1"}),
    (GatewayError("timed_out", "Late.", retryable=True), {"kind": "timed_out", "retryable": True}),
    (ArtifactTooLarge("a.bin", 1 << 20), {}),
    (PersonaUnusable("sre", "there is no group S1"), {"name": "sre"}),
    (PersonaLost("sre"), {"name": "sre"}),
    (Unavailable("Away."), {}),
]


def types(kind: type[FlagmanError]) -> Iterator[type[FlagmanError]]:
    for one in kind.__subclasses__():
        yield one
        yield from types(one)


def test_the_table_names_every_error_of_the_domain_once() -> None:
    domain = {kind for kind in types(FlagmanError) if kind.__module__.startswith("supervisor.")}
    domain = {kind for kind in domain if not kind.__name__.startswith("_")}
    assert set(ERRORS.values()) == domain | {FlagmanError}
    assert all(ERRORS[kind.code] is kind for kind in domain)


def test_every_code_has_a_status() -> None:
    assert set(ERRORS) <= set(bot.api.errors.STATUS)


@pytest.mark.parametrize(("error", "fields"), MADE, ids=[type(e).__name__ for e, _ in MADE])
def test_an_error_comes_back_as_what_it_was(error: FlagmanError, fields: dict[str, Any]) -> None:
    problem, _ = bot.api.errors.problem_of(error)
    back = error_of(problem.model_dump(mode="json"))
    assert (type(back), str(back), back.code) == (type(error), str(error), error.code)
    assert {name: getattr(back, name) for name in fields} == fields


def test_what_another_flagman_does_not_say_is_left_out() -> None:
    back = error_of(
        {"code": "already_decided", "detail": "Late.", "fields": {"by": "slack:U1", "at": "soon"}}
    )
    assert isinstance(back, AlreadyDecided)
    assert back.by == "slack:U1"
    assert back.fields == {"by": "slack:U1"}


@pytest.mark.parametrize(("status", "kind"), [(422, InvalidInput), (503, Unavailable), (418, UnknownRefusal)])
def test_an_unknown_code_keeps_its_kind_by_status(status: int, kind: type[FlagmanError]) -> None:
    back = error_of({"code": "brand_new", "status": status, "detail": "No."})
    assert (type(back), back.code, str(back)) == (kind, "brand_new", "No.")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SessionNotFound("ab12-cd34"), "There is no session `ab12-cd34`."),
        (KeyNotFound("{k1}"), "There is no key `{k1}`."),
        (PersonaNotFound("x", ["sre", "writer"]), "There is no persona `x`. Choose one of: sre, writer."),
        (PersonaNotFound("x", []), "There is no persona `x`. Choose one of: none yet."),
        (
            VerificationError("changed text", 7, "it is not what was written"),
            "Changed text: line 7: it is not what was written.",
        ),
        (VerificationError("no document", 0, "it is empty"), "No document: it is empty."),
        (TokenExpired(AT), "This resume token expired on 2026-11-03 at 09:00 UTC."),
        (
            ArtifactTooLarge("a.bin", 25 << 20),
            "`a.bin` is larger than 25 MiB, so it is not passed on from here.",
        ),
        (
            MissingScope("read"),
            "This key lacks the scope `read`; `flagman keys create NAME --scope read …` makes one "
            "that has it.",
        ),
        (GatewayError("refused", "No."), "No."),
        (IdempotencyConflict("k"), "The idempotency key `k` was already used for a different request."),
        (TokenForged(), "This resume token was not given out here."),
        (TokenUsed("resumed by Ada"), "The pause of this resume token has already ended, resumed by Ada."),
        (
            PersonaUnusable("sre", "there is no group S1"),
            "The persona `sre` cannot be launched: there is no group S1.",
        ),
        (
            PersonaLost("sre"),
            "The persona `sre` held a secret, which no SESSION_LOG keeps, and the one here is another; put its file "
            "back as it was and try again.",
        ),
        (StoreAway(), "Flagman cannot reach its store right now, so it is not known whether that was done."),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, FlagmanError) else "",
)
def test_an_error_says_what_it_is_about(error: FlagmanError, sentence: str) -> None:
    assert str(error) == sentence


def test_what_went_wrong_with_a_model_is_final_unless_it_is_said() -> None:
    error = GatewayError("refused", "No.")
    assert (error.kind, error.retryable, error.retry_after) == ("refused", False, None)
    later = GatewayError("rate_limited", "Later.", retryable=True, retry_after=2.5)
    assert (later.kind, later.retryable, later.retry_after) == ("rate_limited", True, 2.5)


def test_wrong_arguments_are_told_by_name() -> None:
    assert InvalidArguments("No.").problems == {}
    assert InvalidArguments("No.", {"a": "is missing"}).problems == {"a": "is missing"}
