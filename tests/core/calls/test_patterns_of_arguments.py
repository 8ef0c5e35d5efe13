"""Patterns of arguments match what a person reads in them, and nothing that a shell or an address makes more of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Json
from supervisor.core.rules.patterns import check_patterns, escape, matches, suggest
from supervisor.core.rules.programs import names_program

GET = {"command": "kubectl get *"}


@pytest.mark.parametrize(
    "command",
    [
        "kubectl get pods",
        "kubectl get pods -n prod -o wide",
        "kubectl get deploy/api --selector=app=web,tier=front",
        "kubectl get pods@1.2:3+4_5",
    ],
)
def test_a_star_stands_for_plain_words(command: str) -> None:
    assert matches("shell", GET, {"command": command})


@pytest.mark.parametrize(
    "tail",
    [
        "; rm -rf /", "&& rm x", "| sh", "$(id)", "`id`", "> /etc/passwd", "< /etc/passwd", "x\nrm -rf /", "x\r",
        "x & rm", "{a,b}", "'x'", '"x"', "\\x", "~root", "#x", "!x", "x?", "[ab]", "x*", "x\t", "x\u00a0", "x\u200b",
        "é", "x\x00", "(id)", "../../etc", "x/../y", "^x", "%x",
    ],
)  # fmt: skip
def test_a_star_stands_for_nothing_that_a_shell_reads(tail: str) -> None:
    assert not matches("shell", GET, {"command": f"kubectl get {tail}"})


@pytest.mark.parametrize(
    "command", ["kubectl delete pods", "kubectl get", "kubectl  get x", " kubectl get x", ""]
)
def test_the_rest_is_as_it_stands(command: str) -> None:
    assert not matches("shell", GET, {"command": command})


def test_every_argument_takes_a_pattern_and_no_other_is_there() -> None:
    assert not matches("shell", GET, {"command": "kubectl get x", "cwd": "/"})
    assert not matches("shell", {**GET, "cwd": "*"}, {"command": "kubectl get x"})
    assert matches("shell", {**GET, "cwd": "*"}, {"command": "kubectl get x", "cwd": {"any": [1]}})
    assert matches("noop", {}, {})


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("https://api.example.com/v1/items?page=2&size=3", True),
        ("https://api.example.com/v1/", True),
        ("https://api.example.com/v2/items", False),
        ("https://api.example.com.evil.com/v1/x", False),
        ("https://api.example.com/v1/@evil.com", False),
        ("https://api.example.com/v1/../admin", False),
        ("https://api.example.com/v1/%2e%2e/admin", False),
        ("https://api.example.com/v1/\\evil", False),
        ("http://api.example.com/v1/items", False),
        ("https://api.example.com/v1/a b", False),
    ],
)
def test_an_address_keeps_its_host_and_its_folder(url: str, holds: bool) -> None:
    assert matches("http_request", {"url": "https://api.example.com/v1/*"}, {"url": url}) is holds


@pytest.mark.parametrize(
    ("value", "pattern", "holds"),
    [
        (3, "3", True), (3, "*", True), (30, "3*", True), (3, "4", False), (True, "true", True), ("true", "true", True),
        (None, "null", True), ({"b": 1, "a": 2}, '{"a":2,"b":1}', True), ("a*b", "a\\*b", True),
        ("axb", "a\\*b", False),
        ("a\\b", "a\\\\b", True), ("", "", True), ("x", "", False), ("a--b--c", "a*b*c", True), ("ab", "a**b", True),
        (".x", ".*", True), ("../x", ".*", False), ("..", "..", True),
    ],
)  # fmt: skip
def test_values_are_compared_as_text(value: object, pattern: str, holds: bool) -> None:
    assert matches("tool", {"value": pattern}, {"value": value}) is holds


@pytest.mark.parametrize(
    ("tool", "patterns", "says"),
    [
        ("shell", {"command": "*"}, "program"),
        ("shell", {"command": "kubectl*"}, "program"),
        ("shell", {"command": "\\* *"}, "program"),
        ("http_request", {"url": "*"}, "scheme and the host"),
        ("http_request", {"url": "https://*"}, "scheme and the host"),
        ("http_request", {"url": "https://example.com*"}, "scheme and the host"),
        ("http_request", {"url": "https://a@*/"}, "scheme and the host"),
        ("shell", {"command": "echo [masked]"}, "secret"),
        ("shell", {"command": "x" * 3000}, "2,000 characters"),
    ],
)
def test_what_allows_too_much_is_refused(tool: str, patterns: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check_patterns(tool, patterns)


@pytest.mark.parametrize(
    ("before", "holds"),
    [
        ("kubectl get ", True), ("A=b kubectl get ", True), ("cd x && kubectl ", True), ("timeout 30 ls ", True),
        ("2>/dev/null ls ", True), ("awk '{print $1}' ", True), ('echo "', True), ("ls 2>&1 | grep ", True),
        ("LANG=C ", False), ("sudo ", False), ("/usr/bin/env A=b ", False), ("timeout 30 ", False), ("! ", False),
        ("cd x && ", False), ("cd x;", False), ("ls\n", False), ("echo $(", False), ('echo "$(', False),
        ("echo `", False), ("x | xargs ", False), ("$X ", False), ("'sudo' ", False), ('bash -c "', False),
        (">x ", False), ("2>/dev/null ", False), ("{ ", False), ("", False), (" ", False),
    ],
)  # fmt: skip
def test_a_command_names_what_runs_before_a_star(before: str, holds: bool) -> None:
    assert names_program(before) is holds


@pytest.mark.parametrize("command", ["LANG=C ls", "sudo ls", "env A=b ls", "time ls", "xargs rm"])
def test_nothing_wider_is_suggested_where_the_next_word_is_what_runs(command: str) -> None:
    assert suggest("shell", {"command": command}) == {"command": command}


def test_a_pattern_of_nothing_but_a_star_is_none_of_a_command_even_in_an_old_log() -> None:
    assert not matches("shell", {"command": "*"}, {"command": "ls"})
    assert not matches("http_request", {"url": "*"}, {"url": "https://example.com/"})


@pytest.mark.parametrize(
    ("tool", "arguments", "suggested"),
    [
        ("shell", {"command": "kubectl get pods -n x"}, {"command": "kubectl get *"}),
        ("shell", {"command": "df -h /"}, {"command": "df *"}),
        ("shell", {"command": "uptime"}, {"command": "uptime"}),
        ("shell", {"command": "kubectl get"}, {"command": "kubectl *"}),
        ("shell", {"command": "ls * | wc"}, {"command": "ls \\* | wc"}),
        ("write_file", {"path": "docs/a.md", "content": "x"}, {"path": "docs/*", "content": "*"}),
        ("write_file", {"path": "a.md", "content": "x"}, {"path": "a.md", "content": "*"}),
        (
            "http_request",
            {"url": "https://a.b/c/d", "method": "GET"},
            {"url": "https://a.b/c/*", "method": "GET"},
        ),
        ("http_request", {"url": "https://a.b", "body": None}, {"url": "https://a.b", "body": "null"}),
        ("refund", {"amount": 3}, {"amount": "3"}),
    ],
)
def test_patterns_are_suggested(tool: str, arguments: Json, suggested: dict[str, str]) -> None:
    assert suggest(tool, arguments) == suggested
    assert check_patterns(tool, suggested) == suggested
    assert matches(tool, suggested, arguments)


def test_an_escaped_text_matches_itself_alone() -> None:
    for text in ("a*b", "\\", "\\*", "*", "a\\", "\\\\*x"):
        assert matches("tool", {"v": escape(text)}, {"v": text})
        assert not matches("tool", {"v": escape(text)}, {"v": text + "x"})


def test_a_long_text_is_matched_in_a_time_that_grows_with_it() -> None:
    text = "a-" * 50_000
    assert matches("tool", {"v": "*a*a*a*a*a*a*a*a*a*-"}, {"v": text})
    assert not matches("tool", {"v": "*a*a*a*a*a*a*a*a*a*b"}, {"v": text})


@pytest.mark.parametrize(
    ("before", "holds"),
    [
        ('"kubectl" get ', True), ("kube\\ctl get ", True), ("echo X; ls ", True), ("a$X ls ", False),
        ("echo X; sudo ", False), ('bash -c "x;sudo ', False), ('bash -c "x|ls ', True), ("echo # ; sudo ", False),
    ],
)  # fmt: skip
def test_words_are_those_of_the_shell(before: str, holds: bool) -> None:
    assert names_program(before) is holds


@given(st.text(alphabet="ls ab./*=|;'\n", max_size=12) | st.sampled_from(["sudo", " ls x", "env A=b"]))
def test_what_is_suggested_can_be_used_and_matches_the_call(command: str) -> None:
    for tool, name in (("shell", "command"), ("http_request", "url"), ("read_file", "path")):
        found = suggest(tool, {name: command})
        assert check_patterns(tool, found) == found
        assert matches(tool, found, {name: command})
    assert suggest("shell", {"command": "kubectl get pods"}) == {"command": "kubectl get *"}
    assert suggest("shell", {"command": "cat ../x y"}) == {"command": "cat ../x y"}
