"""A shell command line taken apart into words and operators, as far as that goes without running it.

It is made for looking at: what is wrong or strange in a command is passed over, and never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

__all__ = ("Heredoc", "Operator", "Token", "Word", "tokens")

_BLANK: Final = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_HEREDOC: Final = re.compile(r"\d*<<(-?)(?!<)")
_REDIRECTION: Final = re.compile(r"(?:\d*|\{\w+\})(?:<<<|<>|<&|>>|>&|>\||<(?!\()|>(?!\())|&>>?")
_CONTROL: Final = re.compile(r"\n|&&|\|\||;;&|;;|;&|\|&|[;&|()]")
_PLAIN: Final = re.compile(r"[^ \t\r\n'\"\\$`;&|()<>*?\[{~]+")
_NAME: Final = re.compile(r"\$(?:\w+|[@*#?$!-])")
_QUOTED: Final = re.compile(r"(?:[^\"\\$`]++|\\.)++", re.DOTALL)
# What few commands have is only made ready for those.
_NESTED: Final = r"(?s)\\.|'[^']*'|\"(?:[^\"\\]++|\\.)*+\"|<<-?[ \t]*['\"\\]?(\w+)|[(){}]"
_ANSI: Final = r"(?s)\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))"
_ANSI_LETTERS: Final = dict(zip("abeEfnrtv", "\a\b\x1b\x1b\f\n\r\t\v", strict=True))
_ESCAPED: Final = r"\\([$`\"\\])|\\\n"
_MOST_HEREDOCS: Final = 20
_CLOSING: Final = {"(": ")", "{": "}"}


class Word:
    """A word without its quotes.

    Attributes:
        text: What it says, its variables and substitutions as written.
        known: Whether the shell would take it as that: no variable, no substitution.
        globs: Whether it is a pattern of names.
        tilde: Whether it begins with a `~` that stands for a home folder.
        commands: The commands that it holds, in `$(…)`, `` `…` ``, `<(…)` or `>(…)`.
    """

    __slots__ = ("commands", "globs", "known", "text", "tilde")

    def __init__(self) -> None:
        self.text = ""
        self.known = True
        self.globs = False
        self.tilde = False
        self.commands: list[str] = []


class Operator(NamedTuple):
    """What stands between words: `;`, `|`, a new line, or a redirection, whose target is the next word.

    Attributes:
        text: As written, but for the number of a redirection.
        redirects: Whether it is a redirection.
    """

    text: str
    redirects: bool = False


class Heredoc(NamedTuple):
    """The lines that a command gets from within the command line.

    Attributes:
        text: The lines.
    """

    text: str


Token: TypeAlias = Word | Operator | Heredoc


def tokens(command: str) -> Iterator[Token]:
    """The command's words and operators, in order; the lines of a heredoc come before the end of the line it is on."""
    return _Scanner(command).tokens()


class _Scanner:
    def __init__(self, command: str) -> None:
        self.command = command
        self.place: int = 0
        self.heredocs: list[tuple[str, bool]] = []

    def tokens(self) -> Iterator[Token]:
        while True:
            self._passes(_BLANK)
            if self.place >= len(self.command):
                return
            if self.command[self.place] == "#":
                end = self.command.find("\n", self.place)
                self.place = len(self.command) if end < 0 else end
            elif found := self._passes(_HEREDOC):
                self._passes(_BLANK)
                self.heredocs.append((self._word().text, bool(found[1])))
            elif found := self._passes(_REDIRECTION):
                yield Operator(found[0].lstrip("0123456789"), redirects=True)
            elif found := self._passes(_CONTROL):
                if found[0] == "\n":
                    yield from self._lines()
                yield Operator(found[0])
            else:
                yield self._word()

    def _passes(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.command, self.place)
        if found:
            self.place = found.end()
        return found

    def _lines(self) -> Iterator[Heredoc]:
        for end, indented in self.heredocs:
            start = self.place
            while self.place < len(self.command):
                begin, stop = self.place, self.command.find("\n", self.place)
                stop = len(self.command) if stop < 0 else stop
                line = self.command[begin:stop]
                self.place = stop + 1
                if (line.lstrip("\t") if indented else line) == end:
                    yield Heredoc(self.command[start:begin])
                    break
            else:
                yield Heredoc(self.command[start:])
        self.heredocs = []

    def _word(self) -> Word:
        word, start = Word(), self.place
        text: list[str] = []
        while self.place < len(self.command):
            character = self.command[self.place]
            if found := self._passes(_PLAIN):
                text.append(found[0])
            elif character == "'":
                text.append(self._until("'"))
            elif character == '"':
                self.place += 1
                text.append(self._quoted(word))
            elif character == "\\":
                # A line that goes on in the next one has neither a break nor a blank there.
                text.append(self.command[self.place + 1 : self.place + 2].replace("\n", ""))
                self.place += 2
            elif character in "$`" or (character in "<>" and self.command.startswith("(", self.place + 1)):
                text.append(self._expansion(word, quoted=False))
            elif character in "*?[{~":
                word.globs = word.globs or character in "*?[{"
                word.tilde = word.tilde or (character == "~" and self.place == start)
                text.append(character)
                self.place += 1
            else:
                break
        word.text = "".join(text)
        return word

    def _until(self, mark: str) -> str:
        end = self.command.find(mark, self.place + 1)
        end = len(self.command) if end < 0 else end
        inner = self.command[self.place + 1 : end]
        self.place = end + 1
        return inner

    def _quoted(self, word: Word) -> str:
        text: list[str] = []
        while self.place < len(self.command):
            if found := self._passes(_QUOTED):
                text.append(re.sub(_ESCAPED, r"\1", found[0]) if "\\" in found[0] else found[0])
            elif self.command[self.place] == '"':
                self.place += 1
                break
            elif self.command[self.place] in "$`":
                text.append(self._expansion(word, quoted=True))
            else:
                self.place += 1
        return "".join(text)

    def _expansion(self, word: Word, *, quoted: bool) -> str:
        command, start = self.command, self.place
        follows = command[start + 1 : start + 2]
        if command[start] == "`":
            word.known = False
            word.commands.append(self._until("`"))
        elif follows in ("'", '"') and not quoted:
            self.place += 1
            if follows == '"':
                self.place += 1
                return self._quoted(word)
            return self._ansi()
        elif follows in ("(", "{"):
            word.known = False
            inner = self._enclosed(start + 1, follows)
            if follows == "(" or "$(" in inner or "`" in inner:
                word.commands.append(inner)
        elif self._passes(_NAME):
            word.known = False
        else:
            self.place += 1
        return command[start : self.place]

    def _enclosed(self, start: int, opening: str) -> str:
        """What stands between a pair of parentheses or braces; the lines of a heredoc in it may hold any of them."""
        depth, place, heredocs, closing = 0, start, _MOST_HEREDOCS, _CLOSING[opening]
        nested = re.compile(_NESTED)
        while found := nested.search(self.command, place):
            place = found.end()
            if found[1] and heredocs:
                heredocs -= 1
                end = self.command.find(f"\n{found[1]}", place)
                place = place if end < 0 else end + 1 + len(found[1])
                continue
            depth += (found[0] == opening) - (found[0] == closing)
            if depth == 0:
                self.place = place
                return self.command[start + 1 : found.start()]
        self.place = len(self.command)
        return self.command[start + 1 :]

    def _ansi(self) -> str:
        end = self.place + 1
        while end < len(self.command) and self.command[end] != "'":
            end += 2 if self.command[end] == "\\" else 1
        inner = self.command[self.place + 1 : end]
        self.place = end + 1
        return re.sub(_ANSI, _unescaped, inner)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code or found[4]:
        number = int(code, 16) if code else int(found[4], 8)
        return chr(number) if number <= 0x10FFFF else found[0]
    return _ANSI_LETTERS.get(found[5], found[5] if found[5] in "\\'\"?" else found[0])
