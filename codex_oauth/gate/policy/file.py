"""One policy file: `gate.toml` read into what it says, and everything that is wrong with it, each with its line.

What the files of several layers make together is in `layers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.gate.policy import Behavior, FailureClass, OnFailure, Rule
from codex_oauth.gate.policy.lines import KeyLines, KeyPath
from codex_oauth.gate.request import Host
from codex_oauth.records import field, record

__all__ = (
    "MAX_BYTES",
    "MODES",
    "PolicyFile",
    "Problem",
    "ProjectPolicies",
    "Section",
    "parse_policy",
)

MAX_BYTES: Final = 256 * 1024
"""The largest file that is read. All of the rules are sent with each request; this is more than any model is told."""

MODES: Final = ("default", "acceptEdits", "plan", "dontAsk", "bypassPermissions")
"""The permission modes that a file can have sections for. Codex tells `default` and `bypassPermissions` only."""

_MOST_DOTS: Final = 200
"""In one line. A key of n parts takes the parser n² memory: one of 100,000 parts took all there was."""

ProjectPolicies: TypeAlias = Literal["untracked", "trusted", "required", "off"]

_PLACE: Final = re.compile(r"\(at line (\d+), column (\d+)\)|\(at end of document\)")


@record()
class Problem:
    """Something that is wrong with a file.

    Attributes:
        line: Where its statement begins, counted from 1; None where no line can be told.
        message: What is wrong, and what would be right.
    """

    line: int | None
    message: str

    def at(self, path: object) -> str:
        """The message with its place in front, as editors and terminals link it."""
        return f"{path}:{self.line}: {self.message}" if self.line else f"{path}: {self.message}"


@record(kw_only=True)
class Section:
    """What a file says for every request, or for one host or mode; None or empty for what it does not speak of.

    Attributes:
        rules: Takes the place of all rules of earlier layers, even if it is empty.
        append_rules: Rules to add; one with an id that is there already takes that rule's place.
        environment: Takes the place of the notes of earlier layers.
        append_environment: Notes to add.
        disable: Ids of rules to switch off.
        on_failure: By class of failure; `default` for the classes that no file names.
        cache: Seconds; a repository's file can only make them fewer.

    The others are a `Policy`'s attributes.
    """

    on_uncertain: Behavior | None = None
    when_nobody: Behavior | None = None
    model: str | None = None
    effort: str | None = None
    timeout: float | None = None
    cache: float | None = None
    transcript: bool | None = None
    host_permissions: bool | None = None
    environment: tuple[str, ...] | None = None
    append_environment: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    rules: tuple[Rule, ...] | None = None
    append_rules: tuple[Rule, ...] = ()
    on_failure: Mapping[FailureClass | Literal["default"], OnFailure] = field(
        default_factory=dict[FailureClass | Literal["default"], OnFailure]
    )


@record(kw_only=True)
class PolicyFile:
    """What a file says.

    Attributes:
        base: For every request.
        hosts: For one host's requests.
        modes: For requests in one permission mode.
        project_policies: Which repositories' files count beside it; None for the default, `untracked`.
        lines: Where it says so.
    """

    base: Section = field(default_factory=Section)
    hosts: Mapping[Host, Section] = field(default_factory=dict[Host, Section])
    modes: Mapping[str, Section] = field(default_factory=dict[str, Section])
    project_policies: ProjectPolicies | None = None
    lines: KeyLines = field(default_factory=lambda: KeyLines(""), repr=False, compare=False)

    def sections(self) -> Iterator[tuple[KeyPath, Section]]:
        """Every section, with its place in the file."""
        yield (), self.base
        for host, section in self.hosts.items():
            yield ("host", host), section
        for mode, section in self.modes.items():
            yield ("mode", mode), section

    @property
    def rule_ids(self) -> frozenset[str]:
        """The ids of all of its rules, in whatever section."""
        return frozenset(
            rule.id for _, section in self.sections() for rule in (*(section.rules or ()), *section.append_rules)
        )


def parse_policy(content: bytes) -> tuple[PolicyFile, tuple[Problem, ...]]:
    """Read a file's content.

    Returns:
        What it says, as far as it can be read, and its problems by line. With a problem, it must not be judged by.
    """
    if len(content) > MAX_BYTES:
        return PolicyFile(), (Problem(None, f"the file is larger than {MAX_BYTES // 1024} KiB"),)
    try:
        # Some editors write a mark at the beginning that TOML does not know.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return PolicyFile(), (Problem(line, "not UTF-8: save the file in that encoding"),)
    dotted = next((number for number, line in enumerate(text.split("\n"), 1) if line.count(".") > _MOST_DOTS), None)
    if dotted is not None:
        return PolicyFile(), (Problem(dotted, f"a line with more than {_MOST_DOTS} dots"),)
    import tomllib

    try:
        values: dict[str, Any] = tomllib.loads(text)
    except RecursionError:
        return PolicyFile(), (Problem(None, "not valid TOML: nested too deeply"),)
    except ValueError as error:
        # A number of too many digits is another one than TOMLDecodeError, and what it says is for programmers.
        message = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a value that cannot be read"
        return PolicyFile(), (_syntax(text, message),)
    from codex_oauth.gate.policy.reader import PolicyReader

    reader = PolicyReader(KeyLines(text))
    file = reader.file(values)
    return file, tuple(sorted(reader.problems, key=lambda problem: problem.line or 0))


def _syntax(text: str, message: str) -> Problem:
    place = _PLACE.search(message)
    what = _PLACE.sub("", message).strip()
    if place is None:
        return Problem(None, f"not valid TOML: {what}")
    if place[1] is None:
        return Problem(text.rstrip().count("\n") + 1, f"not valid TOML: {what}, at the end of the file")
    return Problem(int(place[1]), f"not valid TOML: {what}, at column {place[2]}")
