"""Shapes of the elements of `rich_text` blocks."""

from bot.playground.block_kit.schema import Chars, Choice, Flag, Many, Rule, Shape, Tagged, Whole

MANY = 10_000
STYLE = Shape(
    {
        name: Flag()
        for name in (
            "bold",
            "italic",
            "strike",
            "underline",
            "code",
            "highlight",
            "client_highlight",
            "unlink",
        )
    }
)
ID = Chars(255)
PARTS: dict[str, Rule] = {
    "text": Shape({"text": Chars(40_000), "style": STYLE}, required=("text",)),
    "link": Shape(
        {"url": Chars(3000), "text": Chars(40_000, least=0), "unsafe": Flag(), "style": STYLE},
        required=("url",),
    ),
    "emoji": Shape(
        {
            "name": Chars(100),
            "unicode": Chars(100),
            "url": Chars(3000),
            "skin_tone": Whole(1, 6),
            "style": STYLE,
        },
        required=("name",),
    ),
    "user": Shape({"user_id": ID, "style": STYLE}, required=("user_id",)),
    "usergroup": Shape({"usergroup_id": ID, "style": STYLE}, required=("usergroup_id",)),
    "channel": Shape({"channel_id": ID, "style": STYLE}, required=("channel_id",)),
    "team": Shape({"team_id": ID, "style": STYLE}, required=("team_id",)),
    "broadcast": Shape(
        {"range": Choice(("here", "channel", "everyone")), "style": STYLE}, required=("range",)
    ),
    "color": Shape({"value": Chars(20), "style": STYLE}, required=("value",)),
    "date": Shape(
        {
            "timestamp": Whole(),
            "format": Chars(200),
            "url": Chars(3000),
            "fallback": Chars(3000),
            "style": STYLE,
        },
        required=("timestamp", "format"),
    ),
}
BORDER = Whole(0, 1)
SECTION = Shape({"elements": Many(Tagged(PARTS), MANY, least=0)}, required=("elements",))
VERBATIM = Tagged({kind: PARTS[kind] for kind in ("text", "link")})
ELEMENTS: dict[str, Rule] = {
    "rich_text_section": SECTION,
    "rich_text_preformatted": Shape(
        {"elements": Many(VERBATIM, MANY), "border": BORDER, "language": Chars(50)}, required=("elements",)
    ),
    "rich_text_quote": Shape(
        {"elements": Many(Tagged(PARTS), MANY), "border": BORDER}, required=("elements",)
    ),
    "rich_text_list": Shape(
        {
            "style": Choice(("bullet", "ordered")),
            "elements": Many(Tagged({"rich_text_section": SECTION}), MANY),
            "indent": Whole(0, 8),
            "offset": Whole(),
            "border": BORDER,
        },
        required=("style", "elements"),
    ),
}
RICH_TEXT = Shape({"block_id": ID, "elements": Many(Tagged(ELEMENTS), MANY, least=0)}, required=("elements",))
