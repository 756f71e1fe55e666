"""Secrets that are known by their shape alone: tokens by how they begin, and private keys by their blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from codex_oauth.redaction.spans import Lazy, Span, is_opaque

__all__ = ("shapes",)

_ALONE: Final = r"(?:(?<![\w-].)|(?<=\n-.)|(?<=\\n-.)|(?<=\\[nrt].)|(?<=%[0-9A-F]{2}.))"
# That no word goes on from the left: it stands behind a token's first character, so that the search can skip to that.
# A diff's "-" is no part of the word, nor is the letter of a line break that was written out, as in JSON within a text.

_TOKEN: Final = Lazy(
    "|".join(
        (
            rf"s{_ALONE}k-[\w-]{{16,}}+",
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
            rf"A{_ALONE}(?:KI|SI|BI|CC)A[A-Z0-9]{{16}}(?![A-Za-z0-9])",
            rf"A{_ALONE}Iza[\w-]{{30,}}+",
            r"AGE-SECRET-KEY-1[0-9A-Z]{20,}+",
            r"ATATT3[\w=-]{20,}+",
            rf"y{_ALONE}a29\.[\w.-]{{20,}}+",
            r"GOCSPX-[\w-]{16,}+",
            rf"n{_ALONE}pm_[A-Za-z0-9]{{30,}}+",
            r"pypi-[\w-]{32,}+",
            rf"h{_ALONE}f_[A-Za-z0-9]{{30,}}+",
            rf"h{_ALONE}v[sbr]\.[\w-]{{20,}}+",
            rf"e{_ALONE}yJ[\w-]{{8,}}+\.[\w-]*+(?:\.[\w-]*+){{0,3}}+",
            rf"r{_ALONE}t[_.-][\w.-]{{20,}}+",
            rf"a{_ALONE}t-[\w.-]{{20,}}+",
            rf"S{_ALONE}G\.[\w-]{{16,}}+\.[\w-]{{16,}}+",
            r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}+",
            r"do[opr]_v1_[0-9a-f]{32,}+",
            rf"d{_ALONE}api[0-9a-f]{{32,}}+",
            rf"g{_ALONE}sk_[A-Za-z0-9]{{20,}}+",
            rf"x{_ALONE}ai-[A-Za-z0-9]{{20,}}+",
            rf"p{_ALONE}plx-[A-Za-z0-9]{{20,}}+",
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
        elif not token.startswith(_MAY_BE_WORDS) or is_opaque(token):
            yield _behind_the_address(token) + start, at, _kind(token), ""


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
