"""Secrets that are known by their shape alone: tokens by how they begin, and private keys by their blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from codex_oauth.redaction.spans import Lazy, Span, is_opaque

__all__ = ("shapes",)


_ALONE: Final = Lazy(r"(?<![\w-])|(?<=\n-)|(?<=\\n-)|(?<=\\[nrt])|(?<=%[0-9A-F]{2})")
"""Where no word goes on. A diff's "-" is no part of one, nor is the letter of a line break that was written out, as in
JSON within a text, nor are the digits of a character in a URL."""

_TOKEN: Final = Lazy(
    "|".join(
        (
            r"sk-[\w-]{16,}+",
            r"sk_(?:live|test)_\w{10,}+",
            r"rk_(?:live|test)_\w{10,}+",
            r"whsec_[\w+/=]{16,}+",
            r"gh[oprsu]_\w{16,}+",
            r"github_pat_\w{20,}+",
            r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|ffct)-[\w.-]{16,}+",
            r"gloas-[\w-]{20,}+",
            r"xox[a-z](?:\.xox[a-z])?-[\w-]{10,}+",
            r"xapp-[\w-]{16,}+",
            r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[\w/+-]{16,}+",
            r"discord(?:app)?\.com/api/webhooks/\d++/[\w-]{16,}+",
            r"A(?:KI|SI|BI|CC)A[A-Z0-9]{16}(?![A-Za-z0-9])",
            r"AIza[\w-]{30,}+",
            r"AGE-SECRET-KEY-1[0-9A-Z]{20,}+",
            r"ATATT3[\w=-]{20,}+",
            r"ya29\.[\w.-]{20,}+",
            r"GOCSPX-[\w-]{16,}+",
            r"npm_[A-Za-z0-9]{30,}+",
            r"pypi-[\w-]{32,}+",
            r"hf_[A-Za-z0-9]{30,}+",
            r"hv[sbr]\.[\w-]{20,}+",
            r"eyJ[\w-]{8,}+(?:\.[\w-]*+){0,4}+",
            r"rt[_.-][\w.-]{20,}+",
            r"at-[\w.-]{20,}+",
            r"SG\.[\w-]{16,}+(?:\.[\w-]++)?+",
            r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}+",
            r"do[opr]_v1_[0-9a-f]{32,}+",
            r"dapi[0-9a-f]{32,}+",
            r"gsk_[A-Za-z0-9]{20,}+",
            r"xai-[A-Za-z0-9]{20,}+",
            r"pplx-[A-Za-z0-9]{20,}+",
            r"lin_api_\w{20,}+",
            r"sntry[su]_[\w+/=-]{20,}+",
            r":(?<=\d{8}:)AA[\w-]{30,}+",
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        )
    )
)
_KINDS: Final = {
    "sk-ant-": "anthropic key",
    "sk-": "api key",
    "sk_": "stripe key",
    "rk_": "stripe key",
    "whsec_": "stripe key",
    "gh": "github token",
    "github": "github token",
    "gl": "gitlab token",
    "xox": "slack token",
    "xapp": "slack token",
    "hooks": "webhook",
    "discord": "webhook",
    "AIza": "google key",
    "AGE": "private key",
    "ya29": "google token",
    "A": "aws key id",
    "npm_": "npm token",
    "pypi-": "pypi token",
    "hf_": "hugging face token",
    "eyJ": "jwt",
    "rt": "refresh token",
}
_MAY_BE_WORDS: Final = ("sk-", "gl", "xapp", "pypi-", "rt", "at-", "hvs", "hvb", "hvr")
# Names of packages, classes and functions begin like these.

_STAND_ALONE: Final = (
    *("sk-", "AK", "AS", "AB", "AC", "AI", "ya29", "npm_", "hf_", "hv", "eyJ", "rt", "at-", "SG", "dapi", "gsk_"),
    *("xai-", "pplx-"),
)
# Those whose beginnings may be in the middle of a word or of an image.

_PARTED: Final = {"ey": 1, "SG": 2}
_SHORT: Final = 128

_BODY: Final = Lazy(
    r"(?:[A-Za-z0-9+/=\s\"',]|\\+[nrt]?|(?<=[\nn])[>-](?!-)|"
    r"(?:Proc-Type|DEK-Info|Version|Comment): ?[\w.,: -]{1,80}+)*+"
)
_END: Final = Lazy(r"(?:-|> ?)?-----END")
_OWN: Final = r"(?:(?<![\w+/\\-])(?!\+)|(?<=\\[nrt])|(?<=\n[+-])|(?<=\\n[+-]))"
# A line's own characters, without a diff's sign in front.
_LONG_LINE: Final = Lazy(rf"{_OWN}[A-Za-z0-9+/]{{16,}}+={{0,2}}")
_LINE: Final = Lazy(
    rf"{_OWN}[A-Za-z0-9+/]{{16,}}+={{0,2}}|{_OWN}=?[A-Za-z0-9+/]++={{0,2}}(?=(?:[\s\"',]|\\+[nrt]?)*+[>-]?\s?\Z)"
)


def shapes(text: str) -> Iterator[Span]:
    """What has the shape of a secret. A block's lines are a span each, so that what separates them stays."""
    at = 0
    while found := _TOKEN().search(text, at):
        start, at = found.span()
        token = found.group()
        if token.startswith("-"):
            body = _BODY().match(text, at)
            end = body.end() if body else at
            yield from _block(text, at, end)
            at = end
        elif not _is_token(text, start, token):
            # What only begins like one may have one in it. Not when it is long: that could be tried again and again.
            at = start + 2 if len(token) <= _SHORT else at
        else:
            yield _behind_the_address(token) + start, at, _kind(token), ""


def _is_token(text: str, start: int, token: str) -> bool:
    if token.startswith(_STAND_ALONE) and not _ALONE().match(text, start):
        return False
    # Their parts are counted here, for an expression that asks for one more would look for it from every beginning.
    if token.count(".") < _PARTED.get(token[:2], 0):
        return False
    return not token.startswith(_MAY_BE_WORDS) or is_opaque(token)


def _block(text: str, start: int, end: int) -> Iterator[Span]:
    kind = "private key"
    line_of = _LINE if _END().match(text, end) else _LONG_LINE
    for line in line_of().finditer(text, start, end):
        yield *line.span(), kind, ""
        kind = ""


def _kind(token: str) -> str:
    return next((kind for prefix, kind in _KINDS.items() if token.startswith(prefix)), "token")


def _behind_the_address(token: str) -> int:
    # What comes before is where a webhook goes to, which says what the request does.
    if token.startswith("hooks"):
        return token.index("/", token.index("/") + 1) + 1
    if token.startswith("discord"):
        return token.rindex("/") + 1
    return 3 if token.startswith(":AA") else 0
