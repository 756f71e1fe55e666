"""Secrets that are told by where they stand: in a URL, behind a program's short option, on their way to its stdin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from codex_oauth.redaction.headers import cookies_at
from codex_oauth.redaction.spans import LIMIT, UNREAD, Lazy, Span, is_opaque
from codex_oauth.redaction.values import Reading, extent, literals, stays

__all__ = ("in_commands", "in_urls")

_USER: Final = Lazy(r"://(?:[^\s/:@?#'\"<>`\\]{0,200}:([^\s/?#'\"<>`\\]{1,512})@|([\w.~-]{16,200}+)@)")
_PARAMETER: Final = Lazy(
    r"[?&](?:amp;)?(?:(x-(?:amz|goog)-signature|sig(?:nature)?|sid|session(?:_?id)?|ticket|otp|jwt)|key|code|auth)="
)
_ARGUMENT: Final = Lazy(r"[^\s?&#'\"<>;|`$(){}\[\]\\]{6,}+")

_SPACE: Final = r"[ \t\x1f]"
_START: Final = r"(?<![^\s\"'\x1f])"
_GIVEN: Final = rf"(?:(?:{_SPACE}|\\\n)+|=)?"
_ALONE: Final = Lazy(r"(?<![\w.-])|(?<=\n-)|(?<=\\n-)|(?<=\\[nrt])")
"""Where no word goes on. A diff's "-" is no part of one, nor is the letter of a line break that was written out."""
_REGISTRIES: Final = ("az", "buildah", "cf", "crane", "docker", "helm", "nerdctl", "oc", "oras", "podman", "skopeo")
_OPTIONS: Final = {
    "curl": Lazy(rf"{_START}(?:-[fsSLkvigGINOqR#0-6]{{0,10}}[uU]{_GIVEN}|--(?:proxy-)?user(?:{_SPACE}+|=))"),
    "http": Lazy(rf"{_START}(?:-a|--auth){_GIVEN}"),
    "login": Lazy(rf"{_START}-p{_GIVEN}"),
    "mysql": Lazy(rf"{_START}-p(?=\S)"),
    "mongo": Lazy(rf"{_START}-p{_GIVEN}"),
    "sshpass": Lazy(rf"{_START}-p{_GIVEN}"),
    "gh": Lazy(rf"{_START}(?:-b|--body){_GIVEN}"),
    "7z": Lazy(rf"{_START}-p(?=\S)"),
    "zip": Lazy(rf"{_START}-P{_GIVEN}"),
    "sqlcmd": Lazy(rf"{_START}-P{_GIVEN}"),
    "ldap": Lazy(rf"{_START}-w{_GIVEN}"),
    "redis-cli": Lazy(rf"{_START}-a{_GIVEN}"),
}
"""By program: what stands before a password, or before user and password."""
_FAMILIES: Final = {
    **{program: program for program in _OPTIONS},
    **dict.fromkeys(_REGISTRIES, "login"),
    "bcp": "sqlcmd",
    "mariadb": "mysql",
    "mariadb-dump": "mysql",
    "unzip": "zip",
    "xh": "http",
}
"""By program: whose options it has. Another is one of those that its name begins with."""
_PROGRAMS: Final = (
    *("7z[az]?", "bcp", "curl", "gh", "https?", r"ldap\w+", "mariadb(?:-dump)?", r"mongo\w*", r"mysql\w*", "redis-cli"),
    *("sqlcmd", "sshpass", "unzip", "xh", "zip", *_REGISTRIES),
)
_PROGRAM: Final = Lazy(rf"(?:{'|'.join(_PROGRAMS)})(?:\.exe)?(?={_SPACE}|\\\n)")
_COOKIES: Final = Lazy(rf"{_START}(?:-[fsSLkvigGINOqR#0-6]{{0,10}}b|--cookie){_GIVEN}")
_ONLY_TO: Final = {"login": Lazy(rf"{_SPACE}login{_SPACE}"), "gh": Lazy(rf"{_SPACE}secret{_SPACE}+set{_SPACE}")}
"""By program: what it must be told to do. Its other commands mean something else by the same option."""
_REST_OF_COMMAND: Final = Lazy(r"(?:[^;|&\n'\"\\]++|'[^'\n]*+'|\"(?:[^\"\\\n]|\\.)*+\"|\\[\s\S]|['\"\\])*+")

_SAID: Final = Lazy(r"\b(?:echo|printf)[ \t]+(?:-[neE]+[ \t]+|['\"]?%s(?:\\n)?['\"]?[ \t]+)*")
_TAKEN: Final = Lazy(
    r"[ \t]*\|[^|;&\n]{0,200}?"
    r"(?:--(?:password|token|pass|secret)-stdin|--with-token|\bsudo[ \t]+(?:-\w+[ \t]+)*-\w*S|(?P<login>\bchpasswd)|"
    r"\bsecrets?[ \t]+(?:set|put|create|add)|\bstdin:?)"
)
_TAKES: Final = Lazy("chpasswd|secret|securestring|stdin|sudo|with-token")
"""What is in every text that one of the next two finds something in, and is looked for faster."""
_HERE: Final = Lazy(r"-stdin[ \t]*<<<[ \t]*|\bconvertto-securestring[ \t]+(?:-string[ \t]+)?")


def in_urls(text: str, low: str) -> Iterator[Span]:
    """The passwords of `scheme://user:password@host`, and the parameters that stand for a sign-in."""
    if "://" in text:
        for place, found in enumerate(_USER().finditer(text)):
            if place == LIMIT:
                yield found.start(), len(text), UNREAD, ""
                break
            which = 1 if found.group(1) else 2
            value = found.group(which)
            if is_opaque(value) if which == 2 else not stays(value, "password", Reading.WORD):
                yield *found.span(which), "token" if which == 2 else "password", ""
    for place, parameter in enumerate(_PARAMETER().finditer(low)):
        at = parameter.end()
        if place == LIMIT:
            yield at, len(text), UNREAD, ""
            break
        value = _ARGUMENT().match(text, at)
        if value and (parameter.group(1) or is_opaque(value.group())) and not stays(value.group(), "", Reading.WORD):
            yield *value.span(), "key", parameter.group()[1:-1]


def in_commands(text: str, low: str) -> Iterator[Span]:
    """What is handed to programs that are known to take a password in a short option, or on stdin."""
    end = 0
    done: dict[str, int] = {}
    for place, program in enumerate(_PROGRAM().finditer(low)):
        at = program.end()
        if place == LIMIT:
            yield at, len(text), UNREAD, ""
            break
        if not _ALONE().match(low, program.start()):
            continue
        if at > end:
            rest = _REST_OF_COMMAND().match(text, at)
            end = rest.end() if rest else at
        name = program.group().removesuffix(".exe")
        family = _FAMILIES.get(name) or next(family for family in _FAMILIES.values() if name.startswith(family))
        # Each is looked for once in a command, however often it is named there.
        if done.get(family) == end:
            continue
        done[family] = end
        if family in _ONLY_TO and not _ONLY_TO[family]().search(low, at, end):
            continue
        for again, option in enumerate(_OPTIONS[family]().finditer(text, at, end)):
            if again == LIMIT:
                yield option.start(), len(text), UNREAD, ""
                break
            if family in {"curl", "http"}:
                yield from _login(text, option.end())
            else:
                yield from _password(text, option.end())
        if family == "curl":
            for option in islice(_COOKIES().finditer(text, at, end), LIMIT):
                yield from cookies_at(text, option.end())[0]
    yield from _handed_over(text, low)


def _handed_over(text: str, low: str) -> Iterator[Span]:
    """What `echo … |` or `<<<` gives to a program that takes a password on stdin, or one to a PowerShell command."""
    if not _TAKES().search(low):
        return
    for place, said in enumerate(_SAID().finditer(low)):
        if place == LIMIT:
            yield said.start(), len(text), UNREAD, ""
            break
        _, end = literals(text, said.end())
        if taken := _TAKEN().match(text, end):
            yield from (_login if taken["login"] else _password)(text, said.end())
    for here in islice(_HERE().finditer(low), LIMIT):
        yield from _password(text, here.end())


def _password(text: str, at: int) -> Iterator[Span]:
    for literal in literals(text, at)[0]:
        if not stays(text[literal[0] : literal[1]], "password", Reading.WORD):
            yield *extent(text, literal), "password", ""


def _login(text: str, at: int) -> Iterator[Span]:
    behind = False
    for literal in literals(text, at)[0]:
        start, end = extent(text, literal)
        if not behind:
            colon = text.find(":", start, end)
            if colon < 0:
                continue
            start, behind = colon + 1, True
        if start < end and not stays(text[start:end], "password", Reading.WORD):
            yield start, end, "password", ""
