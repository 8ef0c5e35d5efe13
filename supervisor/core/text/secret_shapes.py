"""The shapes of secrets: tokens of providers, keys, headers, URLs with passwords.

The rules follow those of detect-secrets (https://github.com/Yelp/detect-secrets, `plugins/`), of gitleaks
(https://github.com/gitleaks/gitleaks, `config/gitleaks.toml`) and the documentation of the providers. All repetitions
before another part of a rule are bounded, or begin where no other match can begin, so the time stays linear.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import NamedTuple


class Shape(NamedTuple):
    """A rule: `pattern` is only tried where one of `words` is in the text, or in its lower case for `any_case`.

    Where the pattern has a group, this is the part of the match that stays.
    """

    words: tuple[str, ...]
    pattern: re.Pattern[str]
    any_case: bool = False


def _shape(words: str, pattern: str) -> Shape:
    return Shape(tuple(words.split()), re.compile(pattern))


def _any_case(words: str, pattern: str) -> Shape:
    return Shape(tuple(words.split()), re.compile(pattern, re.IGNORECASE), any_case=True)


# The names of variables and fields that hold a secret; the value of the second kind must be long.
_SHORT_NAMES = (
    r"(?:password|passwd|passphrase|secret)[A-Za-z0-9_-]{0,20}|(?<![A-Za-z])(?:pass|pwd)[0-9_-]{0,4}"
)
_LONG_NAMES = (
    "token|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|account[_-]?key|"
    "shared[_-]?access[_-]?key|auth[_-]?key|client[_-]?secret|credentials?"
)
_IS = r"""[\\"'\]]{0,3}[ \t]{0,4}(?:=>|:=|==?|:)[ \t]{0,4}[\\"']{0,3}"""
_PEM = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"

_SHAPES = (
    # Keys in files.
    _shape("PRIVATE", rf"-----BEGIN {_PEM}(?:(?!-----BEGIN)[\s\S])*?-----END {_PEM}"),
    # A key whose end is missing: up to the end of the string in JSON, or of the text.
    _shape("PRIVATE", rf'-----BEGIN {_PEM}[^"]*'),
    _shape("Private-Lines:", r"(Private-Lines: \d{1,6})\s[\s\S]*?(?=Private-MAC|\Z)"),
    _shape("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    # Tokens of providers.
    _shape("xox", r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}"),
    _shape("xapp-", r"xapp-[A-Za-z0-9-]{10,}"),
    _shape("hooks.slack.com", r"(hooks\.slack\.com/[a-z]{1,20}/)[A-Za-z0-9+/_-]{20,}"),
    _shape("/webhooks/", r"(/api/webhooks/[0-9]{17,20}/)[A-Za-z0-9_-]{60,}"),
    _shape("sk-", r"sk-(?<![A-Za-z0-9]sk-)[A-Za-z0-9_-]{20,}"),
    _shape("gh", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    _shape("github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    _shape("gl", r"gl(?:pat|ptt|dt|rt|cbt|oas|soat|ft|imt|agent)-[A-Za-z0-9_.-]{20,}"),
    _shape("GR1348941", r"GR1348941[A-Za-z0-9_-]{20,}"),
    _shape("fm_", r"fm_[0-9a-f]{8}_[A-Za-z0-9_-]{43}"),
    _shape("AKIA ASIA ABIA ACCA A3T", r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}(?![A-Z0-9])"),
    _shape("AIza", r"AIza[A-Za-z0-9_-]{35}"),
    _shape("ya29.", r"ya29\.[A-Za-z0-9_-]{20,}"),
    _shape("GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    _shape("k_live_ k_test_", r"[prs]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    _shape("whsec_", r"whsec_[A-Za-z0-9+/=]{16,}"),
    _shape("sq0", r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,43}"),
    _shape("EAAA", r"EAAA[A-Za-z0-9_-]{60}"),
    _shape("npm_", r"npm_[A-Za-z0-9]{36}"),
    _shape("pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    _shape("rubygems_", r"rubygems_[a-f0-9]{48}"),
    _shape("SG.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    _shape("SK", r"SK[0-9a-f]{32}(?![0-9a-f])"),
    _shape(":AA", r":AA(?<=\d:AA)[A-Za-z0-9_-]{32,35}"),
    _shape("hf_", r"hf_[A-Za-z0-9]{30,}"),
    _shape("gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    _shape("xai-", r"xai-[A-Za-z0-9]{60,}"),
    _shape("pplx-", r"pplx-[A-Za-z0-9]{40,}"),
    _shape("r8_", r"r8_[A-Za-z0-9]{37}"),
    _shape("_v1_", r"do[por]_v1_[a-f0-9]{64}"),
    _shape("shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _shape("dckr_", r"dckr_[po]at_[A-Za-z0-9_-]{27,}"),
    _shape("glsa_", r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    _shape("glc_", r"glc_[A-Za-z0-9+/=]{40,}"),
    _shape("dapi", r"dapi[a-f0-9]{32}"),
    _shape("hvs. hvb. hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{20,}"),
    _shape(".atlasv1.", r"\.atlasv1\.[A-Za-z0-9_-]{60,}"),
    _shape("ATATT3 ATCTT3 ATBB", r"(?:AT[AC]TT3|ATBB)[A-Za-z0-9_=-]{28,}"),
    _shape("NRAK-", r"NRAK-[A-Z0-9]{27}"),
    _shape("PMAK-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    _shape("lin_api_", r"lin_api_[A-Za-z0-9]{40}"),
    _shape("ntn_", r"ntn_[A-Za-z0-9]{40,}"),
    _shape("figd_", r"figd_[A-Za-z0-9_-]{40,}"),
    _shape("dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,}"),
    _shape("pul-", r"pul-[a-f0-9]{40}"),
    _shape("sntry", r"sntry[su]_[A-Za-z0-9+/=_-]{40,}"),
    _shape("LTAI AKID", r"(?:LTAI[A-Za-z0-9]{17,21}|AKID[A-Za-z0-9]{32})"),
    _shape("AKC", r"(?<![A-Za-z0-9])AKC[A-Za-z0-9]{60,}"),
    _shape("key-", r"key-(?<![A-Za-z0-9]key-)[0-9a-f]{32}"),
    _shape("-us", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    _shape("Q~", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    _shape(".", r"[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}"),
    _shape("eyJ", r"eyJ(?:(?<![A-Za-z0-9_-]eyJ)|(?<=\\[nrt]eyJ))[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}"),
    _shape("$", r"\$(?:1|5|6|y|2[abxy]|apr1|argon2(?:id?|d))\$[./A-Za-z0-9$,=+]{20,}"),
    # Headers, URLs and files with passwords.
    _any_case("bearer", r"(bearer[ \t]{1,4})[A-Za-z0-9._~+/=-]{16,}"),
    _any_case(
        "authorization x-api-key",
        r"""((?:authorization|x-api-key)[\\"']{0,3}[ \t]{0,4}[:=][ \t]{0,4}[\\"']{0,3}"""
        r"""(?:(?:basic|bearer|token|apikey|negotiate|digest)[ \t]{1,4})?)(?!\[masked)[^\s"'\\]{8,}""",
    ),
    _any_case("cookie:", r"""(\bcookie:[ \t]{0,4})[^\r\n"'\\]{8,}"""),
    _shape("://", r"""(://)[^/\s:@"'\\<>]{0,100}:[^/\s@"'\\<>]{1,300}(?=@)"""),
    _any_case(
        "= &",
        r"""([?&](?:access_token|id_token|refresh_token|token|sig|signature|x-amz-signature|x-amz-security-token|"""
        r"""api_?key|key|code|client_secret|secret|password|pwd)=)[^&\s"'<>\\]{8,}""",
    ),
    _any_case(
        "machine",
        r"""(\bmachine\s{1,4}\S{1,200}\s{1,8}login\s{1,4}\S{1,100}\s{1,8}password\s{1,4})[^\s"'\\]+""",
    ),
    _shape("-u --user", r"""((?<!\S)(?:-u|--user)[ =]["']?[^\s:"']{1,100}:)[^\s"'\\]{3,}"""),
    _any_case('"auth"', r'("auth"[ \t]{0,4}:[ \t]{0,4}")[A-Za-z0-9+/=]{8,}'),
    # Values of fields and variables with a name that says so; words of prose have no digit.
    _any_case(
        "pass pwd secret",
        rf"((?:{_SHORT_NAMES}){_IS})(?!/)(?=[^\s\"'\\,;<>()\[\]{{}}]{{0,100}}[0-9])"
        r"[^\s\"'\\,;<>()\[\]{}]{6,}",
    ),
    _any_case(
        "token key credential secret",
        rf"((?:{_LONG_NAMES}){_IS})(?=[A-Za-z0-9+/=_.~-]{{0,100}}[0-9])(?=[^A-Za-z\s]{{0,100}}[A-Za-z])"
        r"[A-Za-z0-9+/=_.~-]{16,}",
    ),
)
_BASIC = re.compile(r"\b(basic[ \t]{1,4})([A-Za-z0-9+/_-]{8,}={0,2})", re.IGNORECASE)


def mask_shapes(text: str, mask: str) -> str:
    """Return the text with everything that looks like a secret replaced by `mask`."""
    lower = text.lower()
    for shape in _SHAPES:
        if any(word in (lower if shape.any_case else text) for word in shape.words):
            text = shape.pattern.sub(rf"\g<1>{mask}" if shape.pattern.groups else mask, text)
    if "basic" in lower:
        text = _BASIC.sub(lambda found: found[1] + (mask if _is_login(found[2]) else found[2]), text)
    return text


def _is_login(encoded: str) -> bool:
    """Return whether the text is the base64 of a user and a password, and not a word of prose."""
    try:
        login = b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), altchars=b"-_")
        return ":" in login.decode("utf-8")
    except ValueError:
        return False
