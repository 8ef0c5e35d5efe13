"""What the environment holds stays there: an error names the variable, and the mask knows the values."""

from __future__ import annotations

import pytest

from bot.compose import _values
from bot.sdk.http_client import HttpClient
from bot.settings import Settings, read_settings
from supervisor.core.errors import InvalidInput
from supervisor.core.persona import Grants
from supervisor.core.text.masking import MASK, Masker

SECRET = "Kd02LqPz9Xw1mNb"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}/9Xw@h:1/0",
        f"redis://h:1/?db={SECRET}",
        f"redis://h:1/?socket_timeout={SECRET}",
        f"redis://h:1/?{SECRET}=1",
        f"redis://[{SECRET}/0",
        f"http://:{SECRET}@h:1/0",
    ],
)
def test_a_wrong_address_of_the_store_is_one_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(InvalidInput) as refused:
        read_settings()
    assert str(refused.value).startswith("REDIS_URL: ")
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [f"redis://:{SECRET}%2Fx@h:1/0", f"redis://h:1/0?password={SECRET}%2Fx", f"rediss://u:{SECRET}%2Fx@h"],
)
def test_the_password_of_the_store_is_masked(url: str) -> None:
    mask = Masker(Settings(REDIS_URL=url).secrets)
    assert mask(f"it is {SECRET}/x and {SECRET}%2Fx") == f"it is {MASK} and {MASK}"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"])
def test_keys_of_providers_are_masked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    assert Masker(Settings().secrets)(f"it is {SECRET}") == f"it is {MASK}"


def test_granted_variables_are_masked_in_output_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_OF_TESTS", "a-long-name-of-a-cluster")
    sandbox = Grants(env=("TARGET_OF_TESTS", "MISSING_IN_TESTS"))
    mask = Masker([], _values(sandbox.env))
    assert mask("it is a-long-name-of-a-cluster") == f"it is {MASK}"
    assert mask.arguments("delete a-long-name-of-a-cluster") == "delete a-long-name-of-a-cluster"


def test_the_address_of_flagman_is_told_without_its_password() -> None:
    said = str(HttpClient(f"https://me:{SECRET}@flagman.example/x", "key").unreachable(OSError("refused")))
    assert SECRET not in said
    assert "https://flagman.example/x" in said
