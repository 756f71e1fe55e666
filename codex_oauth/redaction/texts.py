"""A text without its secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from codex_oauth.redaction.assignments import assignments
from codex_oauth.redaction.places import in_commands, in_urls
from codex_oauth.redaction.shapes import shapes
from codex_oauth.redaction.spans import LIMIT, UNREAD, Lazy, Span, is_inert, is_opaque, lowered, merged, replaced

__all__ = ("ROUNDS", "Redacted", "Trace", "find", "redact")

_RUNS_TEXT: Final = Lazy(
    r"(?<![\w.-])(?:eval|xargs|source|doskey|(?:ba|da|z|k|fi|c|tc)?sh|iex|invoke-expression|pwsh|powershell)"
    r"(?![\w.-])|\bbase64[ \t]+-?-d|b64decode|frombase64string|\batob\(|\bexec\(|\balias\b|"
    r"\|[ \t]*(?:ssh|at|batch|crontab|python[\d.]*|perl|ruby|node|php)\b|"
    r"(?:^|[;&|(\n`!]|\{[ \t]|\b(?:then|do|else|elif|if|while|until|time)[ \t]|\b\w+=\S{0,40}[ \t])"
    r"[ \t]*[\"']?[$`]"
)
"""Something that runs a text which it is given or makes, such as a variable's: there, a word can be a command, and a
longer one can stand for a command in another form."""
_RUNS_WORDS: Final = Lazy(
    r"(?<![\w.-])(?:sudo|doas|env|exec|command|nohup|npx|bunx|dlx|uvx|parallel)(?![\w.-])|\$\{?[@*\d]|"
    r"\b(?:python[\d.]*|node|deno|bun|perl|ruby|php|lua|osascript|awk)[ \t]+(?:-\w+[ \t]+)*-{0,2}"
    r"(?:c|e|r|p|eval|['\"])|"
    r"\b(?:system|subprocess|popen|child_process|spawn)\b"
)
"""Something that runs words, or names and texts in a program: there, a short word can be a command."""
_EXPANDED: Final = Lazy(r"\$(?:env:)?\{?(\w+)|%(\w+)%|!(\w+)!|\b(\w+)\(")
"""A variable's value used, or called."""
_COMMAND_STARTS: Final = frozenset(";&|({\n`!")
ROUNDS: Final = 4
"""Times that a text is gone over: what stood beside a secret may be one by what is left."""
_SHORTEST: Final = 6
"""Characters of the shortest text that can tell a secret, such as `pwd=a1`."""
_NEAR: Final = 300
"""Characters in front of a word that tell whether it is a command."""


class Redacted:
    """A text without its secrets.

    Attributes:
        text: The text: each secret replaced by what kind it is, such as `[secret: token]`.
        count: How many were replaced.
        hid_syntax: Whether something that could be executed may have gone with them. Who reads the text then does not
            see all that it does.
    """

    __slots__ = ("count", "hid_syntax", "text")

    def __init__(self, text: str, count: int, hid_syntax: bool) -> None:
        self.text = text
        self.count = count
        self.hid_syntax = hid_syntax

    def __repr__(self) -> str:
        return f"Redacted(count={self.count}, hid_syntax={self.hid_syntax})"


class Trace:
    """What was replaced in one text or several, as far as it tells whether something was hidden that could run."""

    __slots__ = ("_short", "_texts", "_variables", "count", "hid_syntax")

    def __init__(self) -> None:
        self.count = 0
        self.hid_syntax = False
        self._short = False
        self._variables: set[str] = set()
        self._texts: list[str] = []

    def redacted(self, text: str) -> str:
        """A text without its secrets, taken note of."""
        for _ in range(ROUNDS):
            spans = find(text)
            self.see(text, spans)
            if not spans:
                break
            text = replaced(text, spans)
        return text

    def see(self, text: str, spans: Iterable[Span], *, named: bool = False) -> None:
        """Takes note of a text, and of what is replaced in it.

        Args:
            text: The text.
            spans: What is replaced.
            named: Whether the text is the value to a name that makes it a secret, and so no command.
        """
        self._texts.append(text)
        for start, end, kind, variable in spans:
            value = text[start:end]
            self.count += bool(kind)
            self.hid_syntax = (
                self.hid_syntax
                or kind == UNREAD
                or not is_inert(value)
                or (not named and (_is_a_command(text, start) or _is_a_line(text, start, kind)))
            )
            if not is_opaque(value):
                self._short = True
                if variable:
                    self._variables.add(variable.casefold())

    def conclude(self) -> None:
        """Looks whether any of the texts runs words that were replaced in any of them."""
        if not self.count or self.hid_syntax:
            return
        for text in self._texts:
            low = lowered(text)
            if (
                _RUNS_TEXT().search(low)
                or (self._short and _RUNS_WORDS().search(low))
                or (self._variables and self._expands(low))
            ):
                self.hid_syntax = True
                return

    def _expands(self, low: str) -> bool:
        return any(name.casefold() in self._variables for names in _EXPANDED().findall(low) for name in names if name)


def find(text: str) -> list[Span]:
    """Where the secrets are, in order and apart from each other."""
    if len(text) < _SHORTEST:
        return []
    low = lowered(text)
    spans = merged([*shapes(text), *assignments(text, low), *in_urls(text, low), *in_commands(text, low)])
    if len(spans) > LIMIT:
        spans[LIMIT:] = [(spans[LIMIT][0], len(text), UNREAD, "")]
    return spans


def redact(text: str) -> Redacted:
    """A text without its secrets: keys, tokens, passwords, credentials.

    What is replaced is found by its shape, by the name in front of it (an option, a variable, a header, a key), or by
    where it stands. References such as `$TOKEN`, placeholders, hashes and paths stay. Doing it twice changes nothing.
    """
    trace = Trace()
    shown = trace.redacted(text)
    trace.conclude()
    return Redacted(shown, trace.count, trace.hid_syntax)


def _is_a_command(text: str, start: int) -> bool:
    """Whether a shell would take the word there as the name of a command, or as the end of a program's path."""
    near = text[max(0, start - _NEAR) : start].rstrip("\"'\\")
    if near.endswith("/"):
        word = near.rsplit(maxsplit=1)[-1] if near.split() else near
        return "://" not in word and "hooks." not in word and "webhooks/" not in word
    if near.endswith((" ", "\t")):
        near = near.rstrip(" \t")
    elif near and near[-1] not in _COMMAND_STARTS:
        return False
    return not near or near[-1] in _COMMAND_STARTS


def _is_a_line(text: str, start: int, kind: str) -> bool:
    """Whether it is a line of a private key's block: what is read as one may be a command's, an argument, a file."""
    return kind in {"", "private key"} and "\n" in text[max(0, start - 4) : start]
