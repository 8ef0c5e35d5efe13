"""What tools return, errors and words are masked: known secrets in all spellings, and all that looks like a secret."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
import shlex
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.text.masking import MASK, Masker
from tests.linear import assert_linear

AWKWARD = 'p/a+s"s\\w ör%d&<1>'
KNOWN = ["correct-horse-battery-staple", AWKWARD]
mask = Masker(KNOWN)
A, H = "aB3dE6gH9jK2", "0123456789abcdef"
LONG = A * 10
PEM = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw"

# Assembled, so that this file holds no token.
TOKENS = [
    *(f"xox{kind}-1234567890-{A}" for kind in "abeoprs"),
    f"xapp-1-A0123456789-1234567890-{H * 4}",
    f"sk-{LONG[:48]}",
    f"sk-proj-{LONG[:40]}T3BlbkFJ{LONG[:40]}",
    f"sk-ant-api03-{LONG[:93]}",
    *(f"gh{kind}_{LONG[:36]}" for kind in "pousr"),
    f"github_pat_{LONG[:22]}_{LONG[:59]}",
    f"glpat-{LONG[:20]}",
    f"glrt-{LONG[:20]}",
    "AKIA" + "ABCDEFGH23456789",
    "ASIA" + "ABCDEFGH23456789",
    f"AIza{LONG[:35]}",
    f"ya29.{LONG[:60]}",
    f"GOCSPX-{LONG[:28]}",
    *(f"{kind}_{mode}_{LONG[:24]}" for kind in ("sk", "rk") for mode in ("live", "test")),
    f"whsec_{LONG[:32]}",
    f"npm_{LONG[:36]}",
    f"pypi-AgEIcHlwaS5vcmc{LONG[:80]}",
    f"SG.{LONG[:22]}.{LONG[:43]}",
    f"SK{H * 2}",
    f"hf_{LONG[:34]}",
    f"dop_v1_{H * 4}",
    f"shpat_{H * 2}",
    f"dckr_pat_{LONG[:27]}",
    f"glsa_{LONG[:32]}_{H[:8]}",
    f"dapi{H * 2}",
    f"hvs.{LONG[:90]}",
    f"key-{H * 2}",
    f"{H * 2}-us12",
    f"NRAK-{'ABC' * 9}",
    f"{A}{A}.{A[:6]}.{A}{A}{A}".replace("a", "M", 1),
    f"fm_{H[:8]}_{LONG[:43]}",
    "AGE-SECRET-KEY-1" + "QP" * 29,
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{LONG[:43]}",
    f"-----BEGIN PRIVATE KEY-----\n{PEM}\n{PEM}\n-----END PRIVATE KEY-----",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{PEM}\n-----END PGP PRIVATE KEY BLOCK-----",
    f"-----BEGIN EC PRIVATE KEY-----\n{PEM}\n{PEM}",
    "$6$rounds=5000$saltsalt$" + LONG[:86],
    "$2b$12$" + LONG[:53],
]
# The text, and the part of it that is secret.
PHRASES = [
    ("Authorization: Bearer {}", LONG[:40]),
    ('{{"Authorization": "Bearer {}"}}', LONG[:40]),
    ("authorization: Basic {}", base64.b64encode(b"admin:hunter2").decode()),
    ("basic {} it is", base64.b64encode(b"admin:hunter2").decode()),
    ("X-Api-Key: {}", "hunter2-hunter2"),
    ("Cookie: {}", "session=4f2a9c; other=1"),
    ("postgres://{}@db:5432/shop", "shop:hunter2"),
    ("redis://{}@cache:6379", ":hunter2"),
    ("git clone https://{}@git.example.com/x.git", "me:p:w!2"),
    ("https://h/x?a=1&access_token={}&b=2", "4f2a9c0011"),
    ("https://s3/x?X-Amz-Signature={}", H * 4),
    ("DB_PASSWORD={}", "hunter2"),
    ('"db_password": "{}"', "hunter2!"),
    ("password: {}", "tr0ub4dor&3"),
    ("appPassword2={}", "tr0ub4dor&3"),
    ("SMTP_PASS={}", "tr0ub4dor&3"),
    ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AccountKey={};", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq=="),
    ("machine git.example.com login me password {}", "hunter2"),
    ("curl -u me:{} https://h", "hunter2"),
    ('{{"auths": {{"r": {{"auth": "{}"}}}}}}', base64.b64encode(b"me:hunter2").decode()),
]
WORDS = [
    "kubectl delete pod disk-0123456789abcdefghij",
    "a basic understanding of Infrastructure",
    "the password is required; the token has expired",
    "https://example.com:8443/a@b/c?key=1",
    "max_tokens: 4096, next_page_token: null",
    '{"secret": false, "password": null}',
    "see https://example.com/people/@joe and joe@example.com:x",
    "sha256 " + H * 4,
    "commit 0123456789abcdef0123456789abcdef01234567",
    "passed 12, failed 0",
    "PWD=/root/project1 OLDPWD=/srv/app2/x compass: north12",
]


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_and_keys(token: str) -> None:
    for text in (token, f"it is {token}\n", f'{{"a": "{token}"}}', f"a={token}&b", json.dumps([token])):
        found = mask(text)
        assert MASK in found
        for line in token.split("\n"):
            assert len(line) < 8 or line not in found


@pytest.mark.parametrize(("text", "secret"), PHRASES)
def test_headers_urls_and_settings(text: str, secret: str) -> None:
    assert mask(text.format(secret)) == text.format(MASK)


@pytest.mark.parametrize("login", ["me:hunter", "me:hunter2", "me:hunter22", "me:ÿÿÿ>>>???~~~"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_login_in_base64_with_its_padding_or_without(login: str, encode: Callable[[bytes], bytes]) -> None:
    encoded = encode(login.encode()).decode()
    for form in (encoded, encoded.rstrip("=")):
        assert mask(f"it is basic {form} here") == f"it is basic {MASK} here"


@pytest.mark.parametrize("text", WORDS)
def test_other_words_stay(text: str) -> None:
    assert mask(text) == text


def test_a_cut_off_key_ends_with_the_string_that_holds_it() -> None:
    text = json.dumps({"a": f"-----BEGIN PRIVATE KEY-----\n{PEM}", "b": "shown"})
    assert json.loads(mask(text)) == {"a": MASK, "b": "shown"}


@pytest.mark.parametrize("secret", KNOWN)
def test_a_known_secret_in_every_spelling(secret: str) -> None:
    data = secret.encode()
    forms = [
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(json.dumps({"a": secret})),
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret == AWKWARD.lower() else quote(secret, safe="/"),
        quote_plus(secret),
        html.escape(secret),
        data.hex(),
        data.hex().upper(),
        data.hex(":"),
    ]
    for form in forms:
        for text in (form, f"x{form}y", f"a: {form}\nb"):
            assert MASK in mask(text), text
            assert form.strip('"') not in mask(text)


@given(
    st.binary(max_size=7), st.binary(max_size=7), st.sampled_from(KNOWN), st.booleans(), st.integers(1, 80)
)
def test_a_known_secret_in_base64_at_any_place_in_lines_of_any_length(
    before: bytes, after: bytes, secret: str, url: bool, width: int
) -> None:
    data = before + secret.encode() + after
    encoded = (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()
    found = mask("\n".join(textwrap.wrap(encoded, width)))
    assert MASK in found
    # What is left holds no byte of the secret.
    assert len("".join(found.replace(MASK, "").split())) * 6 <= (len(before) + len(after)) * 8 + 12


@pytest.mark.parametrize("gap", ["\n", "\r\n", "\\\n", "\n    ", "  \n", "\\n", "\\r\\n"])
@pytest.mark.parametrize("secret", [KNOWN[0], 'p/a+s"s-ör%d&<1>'])
def test_a_known_secret_over_several_lines(secret: str, gap: str) -> None:
    for at in range(1, len(secret)):
        assert Masker([secret])(f"a {secret[:at]}{gap}{secret[at:]} b") == f"a {MASK} b"


def _php(secret: str) -> str:
    return json.dumps(secret).replace("/", "\\/")


def _colours(secret: str) -> str:
    return f"{secret[:4]}\x1b[01;31m\x1b[K{secret[4:8]}\x1b[m\x1b[K{secret[8:]}"


def _dump(secret: str, show: Callable[[bytes], str], place: str, *, characters: bool = True) -> str:
    """As xxd and hexdump print it, after other bytes and before others."""
    data, lines = b"\x00PASS=" + secret.encode() + b"\n and more\n", []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{place.format(at)}{show(row):<40}" + (f"  {shown}" if characters else ""))
    return "\n".join(line.rstrip() for line in lines)


def _pairs(row: bytes) -> str:
    text = row.hex()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _little(row: bytes) -> str:
    padded = row + b"\0" * (len(row) % 2)
    return _pairs(bytes(padded[at ^ 1] for at in range(len(padded))))


WAYS: dict[str, Callable[[str], str]] = {
    "JSON of PHP": _php,
    "JSON of Go": lambda s: (
        json.dumps(s).replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    ),
    "JSON of .NET": lambda s: "".join(c if c.isalnum() and c.isascii() else rf"\u{ord(c):04X}" for c in s),
    "numbers in HTML": lambda s: "".join(c if c.isalnum() else f"&#{ord(c)};" for c in s),
    "hexadecimal in HTML": lambda s: "".join(c if c.isalnum() else f"&#x{ord(c):X};" for c in s),
    "names in HTML": lambda s: html.escape(s).replace("/", "&#x2F;").replace("&quot;", "&#34;"),
    "encodeURIComponent": lambda s: quote(s, safe="-_.!~*'()"),
    "encodeURI": lambda s: quote(s, safe=";,/?:@&=+$-_.!~*'()#"),
    "a URL in a URL": lambda s: quote(quote(s, safe=""), safe=""),
    "quoted-printable": lambda s: quopri.encodestring(s.encode(), quotetabs=True).decode(),
    "printf %q": lambda s: re.sub(r"([^A-Za-z0-9_-])", r"\\\1", s),
    "shlex": shlex.quote,
    "repr": repr,
    "colours": _colours,
    "bold": lambda s: "".join(f"{c}\b{c}" for c in s),
    r"\x": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    r"\X": lambda s: "".join(f"\\x{byte:02X}" for byte in s.encode()),
    "octal": lambda s: "".join(f"\\{byte:03o}" for byte in s.encode()),
    "hexadecimal": lambda s: s.encode().hex(" ", -2).upper(),
    "hexadecimal with commas": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "hexadecimal in lines": lambda s: "\n".join(textwrap.wrap(s.encode().hex(" "), 30)),
    "xxd": lambda s: _dump(s, _pairs, "{:08x}: "),
    "hexdump -C": lambda s: _dump(s, lambda row: f"{row[:8].hex(' ')}  {row[8:].hex(' ')}", "{:08x}  "),
    "od -tx1": lambda s: _dump(s, lambda row: row.hex(" "), "{:07o} ", characters=False),
    "od -An -tx1": lambda s: _dump(s, lambda row: row.hex(" "), " ", characters=False),
    "hexdump": lambda s: _dump(s, _little, "{:07x} ", characters=False),
}


@pytest.mark.parametrize(
    "secret", [*KNOWN, "Kd02LqPz9Xw1mNbT7rYu", "abcdef/ghij+klmn=123", "p@ss/w+rd&K=9x\"y'z$Q<1>"]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_known_secret_however_it_is_written(way: str, secret: str) -> None:
    written = WAYS[way](secret)
    found = Masker([secret])(f"before it\n{written}\nafter it")
    assert re.fullmatch(r"before it\n([\s\S]{0,120})\nafter it", found), found
    # No five characters of it are left, in whatever form they were.
    left = found.replace(MASK, "")
    assert not [at for at in range(len(secret) - 4) if secret[at : at + 5] in left], found
    assert secret.encode().hex()[4:16] not in re.sub(r"\s", "", left).lower()


def test_what_only_looks_like_a_dump_or_an_escape_stays() -> None:
    text = "a \\x41 %41 &#65; =41 \x1b[31mred\x1b[m 00000000: 4142 4344  ABCD\n0000000 4142\n"
    assert mask(text) == text


@given(st.text(alphabet='ab:/@=?&-._ \n\\"{}[]BEGINPRIVATEKYsecretpasswordtoken0123456789', max_size=300))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


# Each repeats the beginning of a rule, so that a rule that begins anew at each place takes quadratic time.
REPEATED = [
    *(
        "a ",
        " ",
        "\n",
        "  \r\n",
        "\\",
        "\\n",
        "-",
        "M",
        f"M{'a' * 24}.",
        "a1",
        "sk-",
        "Q~",
        "eyJ",
        "eyJaaaaaaaa.",
    ),
    *(
        "://",
        "://a:",
        f"://{'a' * 99}:{'b' * 299} ",
        "-----BEGIN PRIVATE KEY-----\n",
        f"-----BEGIN {'A ' * 18}",
    ),
    *(
        '-----BEGIN PRIVATE KEY-----"-----END ',
        "Private-Lines: 1\n",
        "bearer ",
        "basic ",
        "password",
        "password=",
    ),
    *(
        "password   =   ",
        "secret_",
        "token_key=",
        f"machine {'a' * 199} login ",
        "-u a:",
        "?key=",
        "cookie: ",
    ),
    *('"auth" : ', "authorization: basic ", KNOWN[0][:-1] + "\n", "c\n", "SG.", "ghp_", "xox", "$6$", "AKIA"),
    *(
        "\\x41",
        "\x1b[3",
        "\x1b[31m",
        "a\b",
        "%41",
        "&#65;",
        "&#x",
        "=\n",
        "41 ",
        "4142 ",
        "\n00000000: 41",
        "  |",
    ),
    *(KNOWN[0].encode().hex()[:-1], KNOWN[0].encode().hex(" "), "'\"'", "  a", "  \\\n  "),
]


@pytest.mark.parametrize("unit", REPEATED)
def test_the_time_grows_with_the_length(unit: str) -> None:
    def masked(text: str) -> None:
        mask(text)
        mask.arguments(text)

    short, long = (unit * (n // len(unit)) for n in (20_000, 200_000))
    assert_linear(masked, long, short)


def test_ten_megabytes_of_output_are_masked() -> None:
    line = "2026-11-29 09:00:00 INFO request GET /api/items/4711 took 12 ms, 200, 3481 bytes\n"
    text = mask(f"{line * (5_000_000 // len(line))}{KNOWN[0]}\n{line * (5_000_000 // len(line))}")
    assert text.count(MASK) == 1
