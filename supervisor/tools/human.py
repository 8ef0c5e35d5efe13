"""The tool `ask_human`; the control loop asks the question and records the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from supervisor.tools.typed_tool import tool

# The most and the longest options that all interfaces can show.
MOST_OPTIONS = 5
LONGEST_OPTION = 75

Option = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_OPTION)]


@tool(changes=False, control=True)
async def ask_human(
    question: Annotated[
        str,
        Field(
            description="One clear question, with what the person must know to answer it.",
            min_length=1,
            max_length=2_900,
        ),
    ],
    options: Annotated[
        tuple[Option, ...],
        Field(description="Short answers to choose from; leave out for free text.", max_length=MOST_OPTIONS),
    ] = (),
) -> str:
    """Ask the people who follow this session a question and wait for their answer, which may take hours.

    Use it when you lack a fact or a choice that only a person can give; not to ask for permission to run a tool,
    which is asked for by itself.
    """
    raise RuntimeError("ask_human is answered by the control loop and never run")
