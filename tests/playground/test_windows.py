"""Trigger ids, the stack of windows, hashes, forms, and what the app's answer does to a window."""

from typing import Any

import pytest

from bot.playground.seed import Command, Manifest, Shortcut
from tests.playground.bolt import bolt, over_sockets
from tests.support.slack import ADA, GRACE, OPS, Slack, wait_for

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def modal(title: str = "Title", *blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain(title), "submit": plain("Go"), "blocks": list(blocks), **more}


def field(block_id: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain("L"), "element": element, **more}


NAME = field("name", {"type": "plain_text_input", "action_id": "name", "max_length": 5})


def trigger(slack: Slack, user: str = ADA) -> str:
    return slack.playground.triggers.new(user)


async def test_a_trigger_opens_one_window(slack: Slack) -> None:
    name = trigger(slack)
    refused = await slack.api("views.open", trigger_id=name, view=modal("x" * 25))
    assert refused["error"] == "invalid_arguments", "a refused view does not use the trigger up"
    opened = await slack.api("views.open", trigger_id=name, view=modal())
    assert opened["view"]["id"] == (await slack.view(ADA))["id"]
    assert opened["view"]["state"] == {"values": {}}
    assert (await slack.api("views.open", trigger_id=name, view=modal()))["error"] == "exchanged_trigger_id"


async def test_a_trigger_is_good_for_a_moment() -> None:
    async with Slack(trigger_seconds=0.0) as slack:
        refused = await slack.api("views.open", trigger_id=trigger(slack), view=modal())
        assert refused["error"] == "expired_trigger_id"


async def test_three_windows_on_top_of_each_other(slack: Slack) -> None:
    assert (await slack.api("views.push", trigger_id=trigger(slack), view=modal()))["error"] == "not_found"
    root = (await slack.api("views.open", trigger_id=trigger(slack), view=modal("1")))["view"]
    await slack.api("views.push", trigger_id=trigger(slack), view=modal("2"))
    third = (await slack.api("views.push", trigger_id=trigger(slack), view=modal("3")))["view"]
    assert third["root_view_id"] == root["id"]
    fourth = await slack.api("views.push", trigger_id=trigger(slack), view=modal("4"))
    assert fourth["error"] == "push_limit_reached"
    await slack.close_view(ADA, third)
    assert [view["title"]["text"] for view in await slack.views(ADA)] == ["1", "2"]
    assert (await slack.api("views.update", view_id=third["id"], view=modal()))["error"] == "not_found"


async def test_update_by_hash_and_external_id(slack: Slack) -> None:
    view = (await slack.api("views.open", trigger_id=trigger(slack), view=modal(external_id="e")))["view"]
    first = await slack.api(
        "views.update", external_id="e", hash=view["hash"], view=modal("B", external_id="e")
    )
    assert first["view"]["id"] == view["id"]
    late = await slack.api("views.update", view_id=view["id"], hash=view["hash"], view=modal("C"))
    assert late["error"] == "hash_conflict"
    twin = await slack.api("views.open", trigger_id=trigger(slack), view=modal(external_id="e"))
    assert twin["error"] == "duplicate_external_id"


async def test_home_tab(slack: Slack) -> None:
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    published = (await slack.api("views.publish", user_id=ADA, view=home))["view"]
    assert (await slack.home(ADA))["view"]["id"] == published["id"]
    assert (await slack.home(GRACE))["view"] is None
    again = await slack.api("views.publish", user_id=ADA, view=home, hash="old")
    assert again["error"] == "hash_conflict"


@pytest.mark.parametrize(
    ("element", "state", "problem"),
    [
        ({"type": "plain_text_input", "min_length": 3}, {"value": "ab"}, "Enter at least 3 characters."),
        ({"type": "plain_text_input", "max_length": 3}, {"value": "abcd"}, "Enter at most 3 characters."),
        ({"type": "number_input", "is_decimal_allowed": False}, {"value": "1.5"}, "Enter a whole number."),
        ({"type": "number_input", "is_decimal_allowed": True, "max_value": "2"}, {"value": "3"}, "at most 2"),
        ({"type": "email_text_input"}, {"value": "ada"}, "Enter an email address."),
        ({"type": "url_text_input"}, {"value": "ada"}, "Enter a valid URL."),
        (
            {"type": "static_select", "options": [{"text": plain("A"), "value": "a"}]},
            {"selected_option": {"value": "b"}},
            "Choose one of the options.",
        ),
        ({"type": "datepicker"}, {"selected_date": None}, "Please complete this required field."),
    ],
)
async def test_a_form_is_checked_before_it_goes(
    slack: Slack, element: Json, state: Json, problem: str
) -> None:
    block = field("b", {**element, "action_id": "a"})
    opened = await slack.api("views.open", trigger_id=trigger(slack), view=modal("T", block))
    answer = await slack.submit(ADA, opened["view"], {"b": {"a": state}})
    assert problem in answer["errors"]["b"]


async def test_the_state_holds_all_inputs_filled_or_not(slack: Slack) -> None:
    app = bolt(slack)
    seen: list[Json] = []

    @app.view("form")
    async def submitted(ack: Any, view: Json) -> None:
        seen.append(view["state"]["values"])
        await ack()

    option = {"text": plain("A"), "value": "a"}
    form = modal(
        "T",
        NAME,
        field(
            "pick", {"type": "static_select", "action_id": "p", "options": [option], "initial_option": option}
        ),
        field("day", {"type": "datepicker", "action_id": "d"}, optional=True),
        field("who", {"type": "multi_users_select", "action_id": "w"}, optional=True),
        callback_id="form",
    )
    async with over_sockets(slack, app):
        opened = await slack.api("views.open", trigger_id=trigger(slack), view=form)
        assert (await slack.submit(ADA, opened["view"], {"name": "Ada"}))["ok"]
    assert seen == [
        {
            "name": {"name": {"type": "plain_text_input", "value": "Ada"}},
            "pick": {"p": {"type": "static_select", "selected_option": option}},
            "day": {"d": {"type": "datepicker", "selected_date": None}},
            "who": {"w": {"type": "multi_users_select", "selected_users": []}},
        }
    ]


async def test_what_the_app_answers_becomes_of_the_window(slack: Slack) -> None:
    app = bolt(slack)

    @app.view("form")
    async def submitted(ack: Any, view: Json) -> None:
        how = view["private_metadata"]
        following = modal("next", NAME, callback_id="form", private_metadata="clear")
        if how in ("update", "push"):
            await ack(response_action=how, view=following)
        elif how == "clear":
            await ack(response_action="clear")
        elif how == "bad":
            await ack(response_action="update", view=modal("x" * 25))
        else:
            await ack()

    async def submit(how: str) -> tuple[Json, list[str]]:
        form = modal("first", NAME, callback_id="form", private_metadata=how)
        opened = await slack.api("views.open", trigger_id=trigger(slack), view=form)
        answer = await slack.submit(ADA, opened["view"], {"name": "Ada"})
        return answer, [view["title"]["text"] for view in await slack.views(ADA)]

    async with over_sockets(slack, app):
        assert (await submit("update"))[1] == ["next"]
        assert (await submit("push"))[1] == ["first", "next"]
        top = (await slack.views(ADA))[-1]
        await slack.submit(ADA, top, {"name": "Ada"})
        assert await slack.views(ADA) == []
        assert (await submit("close"))[1] == []
        refused, left = await submit("bad")
        assert (refused["error"], left) == ("invalid_arguments", ["first"])


async def test_buttons_in_windows_and_shortcuts_and_closing() -> None:
    manifest = Manifest(
        commands=(Command("/agent", should_escape=True),),
        shortcuts=(Shortcut("ask", "Ask"), Shortcut("explain", "Explain", "message")),
    )
    seen: list[Json] = []
    async with Slack(manifest=manifest) as slack:
        app = bolt(slack)

        @app.shortcut("ask")
        async def ask(ack: Any, body: Json, client: Any) -> None:
            await ack()
            button = {"type": "button", "action_id": "more", "text": plain("More"), "value": "1"}
            row = {"type": "actions", "block_id": "row", "elements": [button]}
            view = modal("Ask", NAME, row, notify_on_close=True, callback_id="ask")
            await client.views_open(trigger_id=body["trigger_id"], view=view)

        @app.action("more")
        async def more(ack: Any, body: Json, client: Any) -> None:
            await ack()
            seen.append(body)
            await client.views_push(trigger_id=body["trigger_id"], view=modal("More"))

        @app.view_closed("ask")
        async def closed(ack: Any, body: Json) -> None:
            await ack()
            seen.append(body)

        @app.shortcut("explain")
        async def explain(ack: Any, body: Json) -> None:
            await ack()
            seen.append(body)

        @app.command("/agent")
        async def command(ack: Any, body: Json) -> None:
            await ack()
            seen.append(body)

        async with over_sockets(slack, app):
            message = await slack.post(GRACE, OPS, "what is this?")
            await slack.send("shortcut", {"user": ADA, "callback_id": "ask"})
            view = await slack.view(ADA)
            state = {"name": {"name": {"type": "plain_text_input", "value": "so far"}}}
            assert (await slack.click_in_view(ADA, view["id"], "more", state=state))["ok"]

            async def both() -> bool:
                return len(await slack.views(ADA)) == 2

            await wait_for(both)
            await slack.close_view(ADA, view)
            where = {"channel": OPS, "ts": message["ts"]}
            await slack.send("shortcut", {"user": ADA, "callback_id": "explain", **where})
            await slack.command(ADA, OPS, "remind @grace & @sre in #ops at https://example.com/a?b=1&c=2")
    clicked, was_closed, explained, commanded = seen
    assert clicked["container"] == {"type": "view", "view_id": view["id"]}
    assert clicked["view"]["state"]["values"]["name"]["name"]["value"] == "so far"
    assert was_closed["type"] == "view_closed"
    assert explained["message"]["text"] == "what is this?"
    assert commanded["text"] == (
        "remind <@U0GRACE01|grace> &amp; <!subteam^S0SRE0001|@sre> in <#C0OPS0001|ops>"
        " at <https://example.com/a?b=1&amp;c=2>"
    )
