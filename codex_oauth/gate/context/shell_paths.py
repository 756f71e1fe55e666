"""Which words of a shell command name files, and from which folder they would be looked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from codex_oauth.gate.context.shell_words import Heredoc, Operator, Word, tokens

__all__ = ("ShellPath", "local_path", "shell_paths")

_MOST_CHARACTERS: Final = 24_000
"""A longer command is not shown whole to anybody, so it cannot be allowed either."""
_MOST_TOKENS: Final = 2_000
_DEEPEST: Final = 4

_OPTION: Final = re.compile(r"-{0,2}[\w.-]+=")
_GLUED: Final = re.compile(r"-[A-Za-z](?=[/~]|\.\.?/)")
_REPLACEMENT: Final = re.compile(r"[sy]/[^\n]*/[^\n]*/[a-zA-Z0-9]*")
_NO_NAME: Final = frozenset('\n{}()|;<>"`^')
_FILE_NAME: Final = re.compile(r"[\w.+@-]*[\w+@-]\.[A-Za-z]\w{0,7}|\.[A-Za-z][\w.-]*")
_PARTED: Final = frozenset("=:@")
_ROOTED: Final = ("/", "~/", "./", "../")

_BEFORE_COMMAND: Final = frozenset(
    {
        *("!", "{", "do", "elif", "else", "if", "then", "time", "until", "while"),
        *("builtin", "command", "doas", "env", "exec", "nice", "nohup", "sudo", "xargs"),
    }
)
_REPEATS: Final = frozenset({"for", "function", "until", "while"})
_MOVES: Final = frozenset({".", "cd", "chdir", "eval", "popd", "pushd", "source"})
"""After one of these the folder may be another: so may it after a script that is read in place."""
_FOLDER_OPTIONS: Final = frozenset({"-C", "--chdir", "--cwd", "--directory", "--workdir"})
_SHELLS: Final = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_ELSEWHERE: Final = frozenset({"chroot", "docker", "kubectl", "nsenter", "podman", "ssh"})
"""What these are given is looked for on another machine, or under another root."""
_NOTHING: Final = frozenset({"/dev/null", "/dev/stderr", "/dev/stdin", "/dev/stdout", "/dev/tty", "-", ""})


class ShellPath(NamedTuple):
    """A name of a file in a command, or elsewhere in a request.

    Attributes:
        text: As written, without its quotes.
        known: Whether the shell takes it as that: no variable, no pattern.
        tilde: Whether it begins with a `~` for the user's own home folder.
        here: Whether a relative one is looked for in the folder that the command starts in.
        local: Whether it is a name on this machine at all, as far as one can see.
    """

    text: str
    known: bool = True
    tilde: bool = False
    here: bool = False
    local: bool = True


def shell_paths(command: str, exists: Callable[[str], bool]) -> Iterator[ShellPath]:
    """The files that a command names: targets of redirections, and words that look like paths or name a file here.

    Args:
        command: The command line. Of a long one, its first 24,000 characters and 2,000 words are looked at.
        exists: Whether a name without a slash is that of a file in the folder where the command starts.
    """
    return _Walk(exists).command(command[:_MOST_CHARACTERS], 0)


def local_path(address: str) -> str:
    """The path of a `file:` address; anything else as it is."""
    path = address.removeprefix("file://").removeprefix("localhost")
    return path if address.startswith("file://") and path.startswith("/") else address


class _Walk:
    def __init__(self, exists: Callable[[str], bool]) -> None:
        self.exists = exists
        self.left = _MOST_TOKENS
        self.here = True
        self.home = True

    def command(self, text: str, depth: int) -> Iterator[ShellPath]:
        if depth > _DEEPEST or self.left <= 0:
            return
        parts = list(islice(tokens(text), self.left))
        self.left -= len(parts) + 1
        names = {part.text for part in parts if isinstance(part, Word)}
        if names & _MOVES and (names & _REPEATS or "()" in text):
            # What stands before the move may run again after it.
            self.here = False
        words: list[Word] = []
        redirection, shell = "", False
        for part in [*parts, Operator("\n")]:
            if isinstance(part, Word):
                if redirection:
                    yield from self._target(part, redirection, words, depth)
                    redirection = ""
                else:
                    words.append(part)
                continue
            shell = shell or _runs_shell(words)
            if isinstance(part, Heredoc):
                if shell:
                    yield from self._inner(part.text, depth)
            elif part.redirects:
                redirection = part.text
            else:
                yield from self._simple(words, depth)
                words, redirection = [], ""
                shell = shell and part.text != "\n"

    def _inner(self, text: str, depth: int) -> Iterator[ShellPath]:
        """A command that runs in a process of its own: where that goes, this one stays."""
        here = self.here
        yield from self.command(text, depth + 1)
        self.here = here

    def _target(self, word: Word, redirection: str, words: list[Word], depth: int) -> Iterator[ShellPath]:
        for inner in word.commands:
            yield from self._inner(inner, depth)
        if redirection == "<<<":
            if _runs_shell(words):
                yield from self._inner(word.text, depth)
        elif not (redirection.endswith("&") and (word.text.isdigit() or word.text == "-")):
            yield from self._paths(word, (word.text, True), here=self.here, certain=not word.commands)

    def _simple(self, words: list[Word], depth: int) -> Iterator[ShellPath]:
        for word in words:
            for inner in word.commands:
                yield from self._inner(inner, depth)
        first = next((place for place, word in enumerate(words) if not _comes_before(word.text)), len(words))
        name = words[first].text.rpartition("/")[2] if first < len(words) else ""
        folder = _other_folder(words, first + 1)
        if any(word.text.startswith("HOME=") for word in words):
            self.home = False
        options, script = True, False
        for place, word in enumerate(words):
            text = word.text
            if script or (name == "eval" and place > first):
                script = False
                if name == "eval":
                    yield from self.command(text, depth + 1)
                else:
                    yield from self._inner(text, depth)
            elif place == first and "/" not in text:
                continue
            elif options and _is_script_option(text) and _runs_shell(words[:place]):
                script = True
            elif text == "--":
                options = False
            else:
                # The folder that a program is told to go to is itself looked for from here.
                here = self.here and folder in (None, place)
                values = list(_values(text, options=options))
                if not _PARTED.isdisjoint(text) and self.exists(text):
                    # It has a part that could be a path, and is one as a whole.
                    values = [(text, True), *(value for value in values if value[0] != text)]
                for value in values:
                    yield from self._paths(word, value, here=here, local=name not in _ELSEWHERE)
        if name in _MOVES:
            self.here = False

    def _paths(
        self, word: Word, value: tuple[str, bool], *, here: bool, local: bool = True, certain: bool = False
    ) -> Iterator[ShellPath]:
        text, is_local = value
        if text in _NOTHING or not (certain or self._names_file(word, text)):
            return
        tilde = word.tilde and text == word.text
        own_home = tilde and self.home and (text == "~" or text.startswith("~/"))
        known = word.known and not word.globs and (own_home or not tilde)
        yield ShellPath(text, known, own_home, here, local and is_local)

    def _names_file(self, word: Word, text: str) -> bool:
        if text in ("..", "~"):
            return True
        if not word.known or word.globs:
            for inner in word.commands:
                text = text.replace(inner, "")
            return "/" in text and not _REPLACEMENT.fullmatch(text) and "\n" not in text
        if text.startswith(_ROOTED):
            return _NO_NAME.isdisjoint(text) or self.exists(text)
        if "/" in text:
            odd = " " in text or not _NO_NAME.isdisjoint(text) or _REPLACEMENT.fullmatch(text)
            # Prose has slashes too, but no folder before them.
            return not odd or self.exists(text.rpartition("/")[0])
        return bool(_FILE_NAME.fullmatch(text)) or self.exists(text)


def _values(text: str, *, options: bool) -> Iterator[tuple[str, bool]]:
    """What of a word may be a path, and whether on this machine: `--file=path`, `-I/path`, `@path`, `/from:/to`."""
    if options and text.startswith("-"):
        found = _OPTION.match(text) or _GLUED.match(text)
        if found is None:
            return
        text = text[found.end() :]
    elif found := _OPTION.match(text):
        text = text[found.end() :]
    if text.startswith("@") and text[1:].startswith(_ROOTED):
        text = text[1:]
    text = local_path(text)
    if "://" in text:
        return
    first, colon, rest = text.partition(":")
    if not colon or (len(first) == 1 and rest.startswith(("/", "\\"))):
        yield text, True
    elif first.startswith(_ROOTED):
        yield from ((part, True) for part in text.split(":") if part.startswith(_ROOTED))
    else:
        # Another machine's, as `scp` writes it.
        yield text, False


def _comes_before(text: str) -> bool:
    name, equals, _ = text.partition("=")
    return text in _BEFORE_COMMAND or text.startswith("-") or bool(equals and name.rstrip("+").isidentifier())


def _is_script_option(text: str) -> bool:
    return text.startswith("-") and text.endswith("c") and text[1:].isalpha()


def _other_folder(words: list[Word], start: int) -> int | None:
    """Which word tells a program to go to a folder first, as in `git -C folder`; `grep -C 3` has none."""
    for place in range(start, len(words)):
        text = words[place].text
        option, equals, _ = text.partition("=")
        if option in _FOLDER_OPTIONS and not equals:
            if place + 1 < len(words) and not words[place + 1].text.isdigit():
                return place + 1
        elif option in _FOLDER_OPTIONS or (text.startswith("-C") and not text[2:].isdigit()):
            return place
    return None


def _runs_shell(words: list[Word]) -> bool:
    return any(word.text.rpartition("/")[2] in _SHELLS for word in words)
