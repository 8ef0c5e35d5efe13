"""What a long text costs: one odd character slows none of the others down, and a short line reads a short part."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.text.visible import call_text, escaped_json, one_line, visible
from tests.examples import examples
from tests.linear import seconds

PIECES = st.sampled_from(
    [*"1#ax \n", "🙂", "👩", "\u200d", "\ufe0f", "\u20e3", "\u0301", "\u200b", "\U000e0100"]
)


def test_one_odd_character_slows_none_of_the_others_down() -> None:
    plain = "word 12 " * 50_000
    for show, most in ((visible, 40), (escaped_json, 40), (call_text, 20)):
        quick = min(seconds(show, plain) for _ in range(3))
        assert min(seconds(show, f"{plain}🙂") for _ in range(3)) < most * max(quick, 0.002)


def test_a_short_line_reads_a_short_part() -> None:
    text = "\u200b🙂 " * 50_000
    whole = min(seconds(visible, text) for _ in range(3))
    assert min(seconds(lambda long: one_line(long, 60), text) for _ in range(3)) < whole / 10


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(PIECES, max_size=120).map("".join), st.integers(2, 20))
def test_it_is_the_line_that_the_whole_text_gives(text: str, limit: int) -> None:
    flat = " ".join(visible(text).split())
    assert one_line(text, limit) == (flat if len(flat) <= limit else f"{flat[: limit - 1]}…")
