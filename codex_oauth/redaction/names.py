"""The names that secrets go by: options, variables, keys, headers."""

from __future__ import annotations

import re
from typing import Final

from codex_oauth.redaction.spans import Lazy

__all__ = ("NAME", "is_label", "kind_of_key", "kind_of_name")

_CORE: Final = (
    r"(p(?:ass(?:word|wd|phrase|code|wort)?|wd)|s(?:ecret(?:[_-]?(?:access[_-]?)?key(?:[_-]?base)?)?)|"
    r"t(?:oken(?:[_-]?secret)?)|a(?:uth(?:orization)?)|b(?:earer|asic)|c(?:ookie|redentials?)|i(?:dentified by)|jwt|"
    r"k(?<=[a-z_.-]k)ey(?:[_-]?secret)?)"
)
_TAIL: Final = (
    r"(?:[_-]?(?:\d{1,3}|prod(?:uction)?|dev|test|staging|live|old|new|value|string|text|plain|base64|b64|raw|"
    r"literal|confirm(?:ation)?|again|default))?"
)
NAME: Final = Lazy(rf"{_CORE}{_TAIL}(?=[\s\"'\\\]=:>,])")
"""The telling end of a name, in a text in lower case, where a value may follow. What comes before is read backwards."""

_KEY: Final = Lazy(rf"{_CORE}{_TAIL}s?\Z")

_ON_THEIR_OWN: Final = frozenset(("auth", "jwt", "pass", "pwd"))
# Short enough to end other words: compass, bypass, oauth.
_JOINED: Final = (
    *("admin", "db", "default", "ftp", "key", "ldap", "login", "mail", "my", "mysql", "new", "old", "pg", "proxy"),
    *("redis", "root", "smtp", "sql", "ssh", "store", "sudo", "user"),
)
_STRONG_KEYS: Final = (
    *("access", "account", "api", "auth", "consumer", "decryption", "deploy", "encryption", "functions", "license"),
    *("master", "private", "secret", "shared", "signing", "subscription", "webhook"),
)
_PUBLIC_KEYS: Final = ("cache", "foreign", "partition", "primary", "pub", "public", "sort", "ssh-host", "translation")
_COUNTED: Final = ("cached", "completion", "input", "max", "min", "num", "output", "prompt", "reasoning", "total")

_WORD: Final = Lazy(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_LABEL: Final = Lazy(
    "a|access|account|add|admin|an|and|api|apikey|at|auth|authentication|authorization|azure|bad|basic|be|bearer|by|can|"
    "cannot|change|client|code|confirm|confirmation|cookie|correct|credential|credentials|csrf|current|database|db|"
    "default|do|does|email|empty|enter|env|error|expired|failed|field|file|flag|for|forgot|from|generate|get|git|github|"
    "gitlab|google|hash|header|hidden|hint|id|in|incorrect|input|invalid|is|it|jwt|key|kind|label|length|logged|login|"
    "match|matches|max|min|mismatch|missing|must|name|new|no|not|oauth|of|ok|old|on|only|openai|option|optional|or|"
    "pass|passphrase|passwd|password|passwords|path|please|private|prompt|public|pwd|read|refresh|repeat|required|"
    "reset|same|secret|secrets|session|set|shared|short|show|slack|str|string|strong|text|the|to|token|tokens|too|type|"
    "unknown|update|url|use|user|username|value|variable|verify|was|weak|with|wrong|x|you|your",
    re.IGNORECASE,
)
_LONGEST_LABEL: Final = 120


def is_label(text: str) -> bool:
    """Whether it only speaks of secrets, as `access_token` and `Enter your password` do."""
    words = _WORD().findall(text) if len(text) <= _LONGEST_LABEL else []
    return bool(words) and all(map(_LABEL().fullmatch, words))


def kind_of_name(core: str, before: str, *, capital: bool, shouted: bool) -> tuple[str, bool] | None:
    """What kind of secret goes by a name, and whether only a value that looks made by chance is one.

    Args:
        core: What `NAME` found, in lower case.
        before: The part of the name in front of it, in lower case.
        capital: Whether the core begins with a capital letter after a small one.
        shouted: Whether the core is in capitals.
    """
    stem = before.rstrip("_.-")
    joined = stem == before and bool(stem) and not capital
    if core in _ON_THEIR_OWN and joined and not stem.endswith(_JOINED):
        return None
    if core == "pwd" and shouted and stem in {"", "old"}:
        return None  # the working folder
    if core == "token" and stem.endswith(_COUNTED):
        return None
    if core.startswith("key"):
        if stem.endswith(_PUBLIC_KEYS):
            return None
        return ("key" if core == "key" else "secret"), core == "key" and not stem.endswith(_STRONG_KEYS)
    if core.startswith(("pass", "pwd", "identified")):
        return "password", False
    if core in {"auth", "jwt", "bearer", "basic"}:
        return "token", core != "jwt"
    if core.startswith("credential"):
        return "credentials", True
    if core == "authorization":
        return "credentials", False
    return re.split(r"[_-]", core)[0].removesuffix("key"), core == "cookie"


def kind_of_key(key: str) -> tuple[str, bool] | None:
    """The same for a whole name, such as a JSON key: `accessToken`, `X-Api-Key`."""
    found = _KEY().search(key.lower()) if len(key) <= 100 else None
    if found is None or len(key) != len(key.lower()):
        return None
    core = key[found.start() : found.end(1)]
    before = key[: found.start()]
    capital = core[:1].isupper() and before[-1:].islower()
    return kind_of_name(found.group(1), before.lower(), capital=capital, shouted=core.isupper())
