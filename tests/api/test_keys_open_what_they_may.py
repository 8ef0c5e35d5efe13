"""API keys: who may do what, what is stored of them, and how much they may ask."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.settings import read_settings
from handlers.users import Recent
from storage import keys
from supervisor.core.errors import InvalidInput
from tests.api.conftest import ALL, APPROVE, KEYS, LAUNCH, READ, Build, House
from tests.support.api import Client
from tests.support.redis_proxy import RedisProxy
from tests.support.slack import ADA, ADA_DM, BOT, GRACE, OPS, wait_for

SCOPE_OF = [
    ("POST", "/v1/sessions", "launch"),
    ("GET", "/v1/sessions", "read"),
    ("GET", "/v1/sessions/x", "read"),
    ("GET", "/v1/sessions/x/events", "read"),
    ("GET", "/v1/sessions/x/wait", "read"),
    ("GET", "/v1/sessions/x/log", "read"),
    ("GET", "/v1/sessions/x/artifacts", "read"),
    ("GET", "/v1/sessions/x/artifacts/y", "read"),
    ("POST", "/v1/restore", "admin"),
    ("POST", "/v1/sessions/x/fork", "launch"),
    ("POST", "/v1/sessions/x/pause", "launch"),
    ("POST", "/v1/sessions/x/token", "launch"),
    ("POST", "/v1/sessions/x/resume", "launch"),
    ("POST", "/v1/sessions/x/cancel", "launch"),
    ("POST", "/v1/sessions/x/context", "launch"),
    ("POST", "/v1/sessions/x/answer", "launch"),
    ("POST", "/v1/sessions/x/calls/1.1/decision", "approve"),
    ("POST", "/v1/sessions/x/decisions", "approve"),
    ("POST", "/v1/sessions/x/calls/1.1/outcome", "approve"),
    ("POST", "/v1/sessions/x/children/y/decision", "approve"),
    ("POST", "/v1/sessions/x/reminders", "launch"),
    ("DELETE", "/v1/sessions/x/reminders/t1", "launch"),
    ("GET", "/v1/schedules", "read"),
    ("POST", "/v1/schedules", "launch"),
    ("GET", "/v1/schedules/x", "read"),
    ("DELETE", "/v1/schedules/x", "launch"),
    ("POST", "/v1/schedules/x/pause", "launch"),
    ("POST", "/v1/schedules/x/resume", "launch"),
    ("POST", "/v1/schedules/x/run", "launch"),
    ("POST", "/v1/events", "launch"),
    ("GET", "/v1/personas", "read"),
    ("GET", "/v1/keys", "admin"),
    ("POST", "/v1/keys", "admin"),
    ("DELETE", "/v1/keys/x", "admin"),
    ("GET", "/v1/secrets", "admin"),
    ("PUT", "/v1/secrets/x", "admin"),
    ("DELETE", "/v1/secrets/x", "admin"),
    ("POST", "/v1/store/check", "admin"),
]


async def test_each_route_asks_for_its_scope(house: House) -> None:
    nobody, stranger = await house.as_(None), await house.as_("fm_00000000_nothing")
    made = await house.api.post("/v1/keys", {"name": "blind", "scopes": ["approve"]})
    lacking = {
        "launch": await house.as_(APPROVE),
        "approve": await house.as_(LAUNCH),
        "read": await house.as_(made["key"]),
        "admin": await house.as_(READ),
    }
    for method, path, scope in SCOPE_OF:
        unsigned = await nobody(method, path)
        unsigned.problem(401, "unauthorized")
        assert unsigned.headers["WWW-Authenticate"] == 'Bearer realm="flagman"'
        refused = await stranger(method, path)
        refused.problem(401, "unauthorized")
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
        problem = (await lacking[scope](method, path)).problem(403, "missing_scope")
        assert f"`{scope}`" in problem["detail"]
        # The right key gets as far as the input.
        assert (await house.api(method, path)).status not in (401, 403), path


async def test_a_key_is_made_shown_once_used_and_revoked(house: House, redis: Redis) -> None:
    made = await house.api.post("/v1/keys", {"name": "pipeline", "scopes": ["read", "launch"]})
    assert made.status == 201
    assert made["key"].startswith(f"fm_{made['id']}_")
    assert (made["scopes"], made["created_by"]) == (["launch", "read"], "api:boss")
    pipeline = await house.as_(made["key"])
    me = await pipeline.get("/v1/me")
    assert (me["id"], me["name"]) == ("api:pipeline", "pipeline")
    listed = (await house.api.get("/v1/keys"))["keys"]
    assert [k["name"] for k in listed] == ["boss", "eye", "ci", "gate", "pipeline"]
    assert listed[-1]["last_used_at"] is not None
    assert made["key"] not in str(listed)
    secret = made["key"].split("_", 2)[2]
    stored = str(await redis.hgetall(keys.api_keys()))
    assert secret not in stored
    assert hashlib.sha256(secret.encode()).hexdigest() in stored
    assert (await house.api.delete(f"/v1/keys/{made['id']}")).status == 204
    (await pipeline.get("/v1/me")).problem(401, "unauthorized")
    (await house.api.delete(f"/v1/keys/{made['id']}")).problem(404, "key_not_found")
    env = (await house.api.get("/v1/keys"))["keys"][0]
    (await house.api.delete(f"/v1/keys/{env['id']}")).problem(422, "invalid_input")


async def test_a_name_cannot_pass_for_somebody_in_slack(house: House) -> None:
    for name in ("U0ADA0001", "api:x", "", "-x", "x" * 41):
        (await house.api.post("/v1/keys", {"name": name, "scopes": ["read"]})).problem(422, "invalid_request")
    (await house.api.post("/v1/keys", {"name": "x", "scopes": ["root"]})).problem(422, "invalid_request")


async def test_too_many_requests_are_told_when_to_come_again(build: Build) -> None:
    house = await build(api_rate="2/5")
    reader = await house.as_(READ)
    replies = await asyncio.gather(*(reader.get("/v1/me") for _ in range(12)))
    refused = [r for r in replies if r.status == 429]
    assert 5 <= len(replies) - len(refused) <= 7
    refused[0].problem(429, "too_many_requests")
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert (await house.api.get("/v1/me")).status == 200

    async def again() -> bool:
        return (await reader.get("/v1/me")).status == 200

    await wait_for(again)


async def test_a_store_that_is_away_is_said_so(build: Build, valkey_url: str) -> None:
    async with RedisProxy(valkey_url) as proxy:
        house = await build(redis_url=proxy.url)
        proxy.at(("ZRANGE", "idx:all"), "before", lambda: None)
        reply = await house.api.get("/v1/sessions")
        reply.problem(503, "store_unavailable")
        assert reply.headers["Retry-After"] == "1"
        assert (await house.api.get("/v1/sessions")).status == 200


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("FLAGMAN_API_KEYS", "boss:admin", "entry 1 must have the form name:scope+scope:key"),
        ("FLAGMAN_API_KEYS", f"{KEYS},x:root:0123456789abcdef", "entry 5 must have the form"),
        ("FLAGMAN_API_KEYS", "Boss:admin:0123456789abcdef", "entry 1 must have the form"),
        ("FLAGMAN_API_KEYS", f"{KEYS},{KEYS}", "has the name of entry 1; give each key its own"),
        ("FLAGMAN_API_KEYS", "boss:admin:hunter2", "the key of entry 1 must have 16 characters"),
        ("FLAGMAN_WEBHOOK_SECRET", "hunter2", "secret 1 must have 16 characters"),
        ("FLAGMAN_SECRET_KEY", f"{ALL},hunter2", "secret 2 must have 16 characters"),
        ("FLAGMAN_API_RATE", "fast", "must look like 50"),
        ("FLAGMAN_API_RATE", "0", "must look like 50"),
        ("FLAGMAN_TOKEN_SECONDS", "0", "greater than or equal to 1"),
    ],
)
def test_a_bad_variable_stops_the_start_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInput) as raised:
        read_settings()
    assert str(raised.value).startswith(f"{variable}: ")
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_secrets_of_the_environment_are_known_to_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGMAN_API_KEYS", KEYS)
    monkeypatch.setenv("FLAGMAN_WEBHOOK_SECRET", f"{READ}a, github={LAUNCH}b")
    monkeypatch.setenv("FLAGMAN_SECRET_KEY", f"{ALL}c,{ALL}d")
    settings = read_settings()
    assert {ALL, READ, f"{READ}a", f"{LAUNCH}b", f"{ALL}c", f"{ALL}d"} <= set(settings.secrets)
    assert settings.webhook_secrets("github") == [f"{LAUNCH}b"]
    assert settings.webhook_secrets("other") == [f"{READ}a"]


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("redis://cache:6379/0", set()),
        ("redis://me@cache:6379/0", set()),
        (
            "redis://:p%40ss-w0rd@cache:6379/0",
            {"redis://:p%40ss-w0rd@cache:6379/0", "p%40ss-w0rd", "p@ss-w0rd"},
        ),
    ],
)
def test_an_address_of_the_store_is_a_secret_where_it_has_a_password(
    monkeypatch: pytest.MonkeyPatch, url: str, secrets: set[str]
) -> None:
    before = set(read_settings().secrets)
    monkeypatch.setenv("REDIS_URL", url)
    assert set(read_settings().secrets) - before == secrets


async def test_a_name_is_that_of_one_key(build: Build) -> None:
    house, owned, _ = await house_with(build, admins=GRACE)
    wanted = {"name": "deployer", "scopes": ["launch", "read"]}
    made = await owned.post("/v1/keys", wanted)
    for other in (owned, house.api):
        assert "choose another name" in str(
            (await other.post("/v1/keys", wanted)).problem(422, "invalid_input")
        )
    assert "choose another name" in str(
        (await owned.post("/v1/keys", {**wanted, "name": "ada"})).problem(422, "invalid_input")
    )
    assert (await owned.delete(f"/v1/keys/{made['id']}")).status == 204
    # Once its own key is revoked, the name stays that of its owner.
    (await house.api.post("/v1/keys", wanted)).problem(422, "invalid_input")
    assert (await owned.post("/v1/keys", wanted)).status == 201


async def test_keys_of_one_name_in_an_old_store_are_told_apart(build: Build, redis: Redis) -> None:
    house, _, _ = await house_with(build, admins=GRACE)
    texts, ids = [], []
    for name, owner in (("first", GRACE), ("second", ADA), ("third", GRACE)):
        made = await house.api.post("/v1/keys", {"name": name, "scopes": ["launch", "read"], "owner": owner})
        texts.append(made["key"])
        ids.append(made["id"])
    for ident in ids[:2]:
        row = json.loads(await redis.hget(keys.api_keys(), ident))  # type: ignore[arg-type]
        await redis.hset(keys.api_keys(), ident, json.dumps({**row, "name": "old"}))
    clients = [await house.as_(text) for text in texts]
    seen = [(await client.get("/v1/me"))["id"] for client in clients]
    assert seen == [f"api:old#{ids[0]}", f"api:old#{ids[1]}", "api:third"]
    # Also when only one of them is left.
    assert (await house.api.delete(f"/v1/keys/{ids[0]}")).status == 204
    assert (await clients[1].get("/v1/me"))["id"] == f"api:old#{ids[1]}"


# Keys of people

OWNED = "owned-key-0123456789abcdef"
OTHER = "other-key-0123456789abcdef"
PEOPLES_KEYS = f"boss:admin:{ALL},dev@{GRACE}:admin:{OWNED},ada@{ADA}:launch+read+approve:{OTHER}"


async def house_with(build: Build, **config: object) -> tuple[House, Client, Client]:
    """A house, the key of GRACE with the scope admin, and one of ADA; both are asked where Slack is known."""
    house = await build(api_keys=SecretStr(PEOPLES_KEYS), **config)
    web = house.scene.flagman.cores[0]
    for core in house.scene.flagman.cores[1:]:
        core.directory.__dict__.update(web.directory.__dict__)
    return house, await house.as_(OWNED), await house.as_(OTHER)


async def test_the_scope_admin_is_nothing_to_a_person_who_is_none(build: Build) -> None:
    _, owned, _ = await house_with(build, admins=ADA)
    (await owned.post("/v1/keys", {"name": "more", "scopes": ["approve"]})).problem(403, "missing_scope")
    (await owned.get("/v1/keys")).problem(403, "missing_scope")


async def test_a_person_makes_keys_of_their_own_only(build: Build) -> None:
    _, owned, _ = await house_with(build, admins=GRACE)
    wanted = {"name": "more", "scopes": ["approve"]}
    (await owned.post("/v1/keys", {**wanted, "owner": ADA})).problem(403, "not_allowed")
    assert (await owned.post("/v1/keys", wanted))["owner"] == GRACE


async def test_a_deactivated_person_has_no_key(build: Build) -> None:
    house, owned, _ = await house_with(build, admins=GRACE)
    await house.scene.slack.person(id=GRACE, deleted=True)
    for path in ("/v1/sessions", "/v1/keys", "/v1/personas"):
        (await owned.get(path)).problem(403, "not_allowed")


async def test_the_key_of_who_does_not_exist_opens_nothing(build: Build) -> None:
    house, _, _ = await house_with(build, admins=GRACE)
    made = await house.api.post("/v1/keys", {"name": "ghost", "scopes": ["read"], "owner": "U0NOBODY9"})
    (await (await house.as_(made["key"])).get("/v1/sessions")).problem(403, "not_allowed")


async def test_a_key_sees_what_it_or_its_owner_launched(build: Build) -> None:
    house, _, other = await house_with(build)
    mine = await house.scene.launch("mine", user=ADA)
    foreign = await house.scene.launch("foreign", user=GRACE)
    assert (await other.get(f"/v1/sessions/{mine.id}")).status == 200
    for path in ("", "/events", "/log", "/wait", "/artifacts"):
        (await other.get(f"/v1/sessions/{foreign.id}{path}")).problem(404, "session_not_found")
    listed = [row["id"] for row in (await other.get("/v1/sessions"))["sessions"]]
    assert listed == [mine.id]


async def test_a_key_learns_of_sessions_that_it_sees(build: Build) -> None:
    house, _, other = await house_with(build)
    foreign, _ = await house.paused("event: deploy.finished")
    mine = (await other.post("/v1/sessions", {"persona": "ops", "task": "mine"}))["id"]
    await house.resting(mine)
    await other.post(f"/v1/sessions/{mine}/pause", {"resume_conditions": ["event: deploy.finished"]})
    await house.looked_after(mine)
    reply = await other.post("/v1/events", {"type": "deploy.finished"})
    assert (reply["resumed"], reply["others"]) == ([mine], 1)
    assert foreign not in str(reply.body)


async def test_a_key_that_may_not_decide_raises_no_budget(build: Build) -> None:
    house = await build(persona={"budgets": {"max_steps": 1}, "approvals": [{"tool": "*", "mode": "allow"}]})
    session_id = await house.launch()
    await house.until(session_id, lambda s: s.waiting_for == "budget_exceeded")
    path, pipeline = f"/v1/sessions/{session_id}", await house.as_(LAUNCH)
    for way in ("resume", "token"):
        problem = (await pipeline.post(f"{path}/{way}", {})).problem(403, "missing_scope")
        assert "`approve`" in problem["detail"]
    assert (await house.api.post(f"{path}/resume", {})).status == 200


async def test_nothing_is_launched_in_a_channel_that_the_owner_does_not_see(build: Build) -> None:
    house, _, other = await house_with(build)
    slack = house.scene.slack
    closed = await slack.channel("private", name="closed", members=[GRACE, BOT])
    unknown = await slack.channel("private", name="without-the-bot", members=[GRACE])
    shared = await slack.channel("private", name="shared", members=[ADA, BOT])
    theirs = str((await slack.api("conversations.open", users=GRACE))["channel"]["id"])
    launch = {"persona": "ops", "task": "ship it"}
    schedule = {**launch, "cron": "0 9 * * MON"}
    placeless = (await other.post("/v1/sessions", launch))["id"]
    for channel in (closed, unknown, theirs, "C0NOWHERE"):
        for path, body in (
            ("/v1/sessions", launch),
            ("/v1/schedules", schedule),
            (f"/v1/sessions/{placeless}/fork", {"step": 0}),
        ):
            reply = await other.post(path, {**body, "channel": channel})
            assert "that you see" in reply.problem(404, "channel_not_found")["detail"]
    for channel in (OPS, shared, ADA_DM):
        assert (await other.post("/v1/sessions", {**launch, "channel": channel})).status == 201
    assert (await other.post("/v1/schedules", {**schedule, "channel": shared})).status == 201


async def test_nothing_is_launched_in_a_channel_that_was_left(build: Build) -> None:
    house, _, other = await house_with(build)
    slack = house.scene.slack
    left = await slack.channel("private", name="left", members=[ADA, GRACE, BOT])
    launch = {"persona": "ops", "task": "ship it", "channel": left}
    session = (await other.post("/v1/sessions", launch))["id"]
    schedule = (await other.post("/v1/schedules", {**launch, "cron": "0 9 * * MON"}))["id"]
    slack.playground.workspace.store.leave(left, ADA)
    for core in house.scene.flagman.cores:
        core.directory.home._channels = Recent()
    for path in (f"/v1/sessions/{session}/fork", f"/v1/schedules/{schedule}/run"):
        (await other.post(path, {})).problem(404, "channel_not_found")


async def test_a_key_of_nobody_launches_in_public_channels_and_by_its_scopes_in_others(build: Build) -> None:
    keys_of_nobody = f"boss:admin:{ALL},ci:launch+read:{LAUNCH}"
    house = await build(api_keys=SecretStr(keys_of_nobody))
    for core in house.scene.flagman.cores[1:]:
        core.directory.__dict__.update(house.scene.flagman.cores[0].directory.__dict__)
    private = await house.scene.slack.channel("private", name="closed", members=[GRACE, BOT])
    launch, ci = {"persona": "ops", "task": "ship it"}, await house.as_(LAUNCH)
    assert (await ci.post("/v1/sessions", {**launch, "channel": OPS})).status == 201
    for channel in (private, ADA_DM):
        (await ci.post("/v1/sessions", {**launch, "channel": channel})).problem(404, "channel_not_found")
        assert (await house.api.post("/v1/sessions", {**launch, "channel": channel})).status == 201
