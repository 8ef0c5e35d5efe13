"""A server that answers and cannot work is not available, with a sentence of its own."""

from __future__ import annotations

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ResponseError

from storage.connection import REFUSALS, reaching_store
from storage.errors import StoreRefused


@pytest.mark.parametrize("code", [*REFUSALS])
def test_each_refusal_is_not_available(code: str) -> None:
    with pytest.raises(StoreRefused, match=f"not available: .*{code}"), reaching_store():
        raise BaseParser.parse_error(f"{code} what the server says.")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("answer", ["WRONGTYPE x", "ERR unknown command", "BUSYGROUP x", "NOGROUP x"])
def test_a_fault_of_the_command_stays_one(answer: str) -> None:
    with pytest.raises(ResponseError), reaching_store():
        raise BaseParser.parse_error(answer)  # type: ignore[no-untyped-call]
