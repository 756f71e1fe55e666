"""Permission requests with the verdict that they should get: the shipped set, and files of one's own.

A line is a request; `schemas/labelled-request.schema.json` describes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.context import Context, GitContext, HostPermissions, Transcript
from codex_oauth.gate.policy import Behavior
from codex_oauth.gate.request import Host, PermissionRequest

__all__ = ("LabelledRequest", "read_labelled", "selected")

_HOSTS: Final = ("claude", "codex")
_BEHAVIORS: Final = ("allow", "deny", "ask")
_MEMBERS: Final = ("id", "host", "expected", "also", "rule", "tags", "why", "request", "context")
_SHIPPED: Final = "the shipped requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRequest:
    """A request, and what should become of it.

    Attributes:
        id: Its name, once in a file.
        host: Whose request it is.
        expected: The verdict that it should get.
        also: Verdicts that are right as well.
        rule: The id of the rule that the verdict should rest on; None where none is said.
        tags: What it is an example of.
        why: Why that is the verdict, in a sentence.
        request: The request.
        context: What would be known besides; None for nothing.
        digest: 12 hexadecimal digits that stand for the request and its context, as they are in the file.
    """

    id: str
    host: Host
    expected: Behavior
    also: tuple[Behavior, ...] = ()
    rule: str | None = None
    tags: tuple[str, ...] = ()
    why: str = ""
    request: PermissionRequest = field(repr=False)
    context: Context | None = field(default=None, repr=False)
    digest: str

    def accepts(self, behavior: Behavior) -> bool:
        """Whether that verdict is right."""
        return behavior == self.expected or behavior in self.also


def read_labelled(path: Path | None = None) -> tuple[LabelledRequest, ...]:
    """The requests of a file of JSON lines; the shipped ones without one. Empty lines are passed over.

    Raises:
        ConfigurationError: The file cannot be read, or a line is not such a request. The message has the line's number.
    """
    name = _SHIPPED if path is None else str(path)
    try:
        text = (_shipped() if path is None else path.read_bytes()).decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8 (byte {error.start})") from None
    found: dict[str, LabelledRequest] = {}
    # Not splitlines: JSON may hold the other line ends that Unicode has.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            labelled = _Line(f"{name}, line {number}").read(line)
            if labelled.id in found:
                raise ConfigurationError(f"{name}, line {number}: the id {labelled.id!r} is there twice")
            found[labelled.id] = labelled
    if not found:
        raise ConfigurationError(f"{name}: there is no request in it")
    return tuple(found.values())


def selected(
    requests: Sequence[LabelledRequest],
    *,
    tags: Sequence[str] = (),
    host: str | None = None,
    limit: int | None = None,
) -> tuple[LabelledRequest, ...]:
    """Some of the requests, in their order.

    Args:
        requests: All of them.
        tags: Only those that have one of these tags; none for all.
        host: Only those of this host.
        limit: At most so many, taken at even distances, so that a part of a file is an example of all of it.

    Raises:
        ConfigurationError: No request has such a tag, or none is left.
    """
    known = {tag for labelled in requests for tag in labelled.tags}
    for tag in tags:
        if tag not in known:
            import difflib

            near = difflib.get_close_matches(tag, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"
            raise ConfigurationError(f"no request has the tag {tag!r}{hint}")
    found = [
        labelled
        for labelled in requests
        if (not tags or not set(tags).isdisjoint(labelled.tags)) and host in (None, labelled.host)
    ]
    if not found:
        raise ConfigurationError("no request is left: leave --tag or --host out, or name others")
    if limit is not None and limit < len(found):
        found = [found[place * len(found) // limit] for place in range(limit)]
    return tuple(found)


def _shipped() -> bytes:
    from importlib.resources import files

    return (files("codex_oauth.gate.evaluation") / "data" / "requests.jsonl").read_bytes()


class _Line:
    """One line, read: every message says where it is, and none holds its content."""

    def __init__(self, place: str) -> None:
        self._place = place

    def read(self, line: str) -> LabelledRequest:
        """The line as a request."""
        try:
            value: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            where = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            raise ConfigurationError(f"{self._place}: not JSON{where}") from None
        members = self._object(value, "the line", _MEMBERS)
        for name in ("id", "host", "expected", "request"):
            if name not in members:
                self._wrong(f"{name!r} is missing")
        host = cast("Host", self._one_of(members, "host", _HOSTS))
        request = self._object(members["request"], "'request'")
        context = members.get("context")
        content = json.dumps([host, request, context], sort_keys=True)
        return LabelledRequest(
            id=self._text(members["id"], "'id'"),
            host=host,
            expected=cast("Behavior", self._one_of(members, "expected", _BEHAVIORS)),
            also=cast("tuple[Behavior, ...]", self._texts(members, "also", _BEHAVIORS)),
            rule=None if members.get("rule") is None else self._text(members["rule"], "'rule'"),
            tags=self._texts(members, "tags"),
            why=self._text(members.get("why", "-"), "'why'") if "why" in members else "",
            request=self._request(request, host),
            context=None if context is None else self._context(context),
            digest=hashlib.sha256(content.encode()).hexdigest()[:12],
        )

    def _request(self, value: Mapping[str, Any], host: Host) -> PermissionRequest:
        try:
            return PermissionRequest.from_hook(json.dumps(value), host=host)
        except ConfigurationError as error:
            self._wrong(error.message.replace("the hook's input", "'request'"))

    def _context(self, value: object) -> Context:
        members = self._object(value, "'context'", ("git", "paths", "permissions", "transcript"))
        git = permissions = transcript = None
        if "git" in members:
            at = self._object(members["git"], "'git'", ("root", "branch", "main_worktree"))
            branch, main = (at.get(name) for name in ("branch", "main_worktree"))
            git = GitContext(
                root=self._text(at.get("root"), "'root'"),
                branch=None if branch is None else self._text(branch, "'branch'"),
                main_worktree=None if main is None else self._text(main, "'main_worktree'"),
            )
        if "permissions" in members:
            rules = self._object(members["permissions"], "'permissions'", _BEHAVIORS)
            permissions = HostPermissions(**{name: self._texts(rules, name) for name in _BEHAVIORS})
        if "transcript" in members:
            said = self._object(members["transcript"], "'transcript'", ("user", "tools"))
            transcript = Transcript(user=self._texts(said, "user"), tools=self._texts(said, "tools"))
        return Context(git=git, paths=self._texts(members, "paths"), permissions=permissions, transcript=transcript)

    def _object(self, value: object, what: str, known: Sequence[str] = ()) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._wrong(f"{what} is not a JSON object")
        members = cast("dict[str, Any]", value)
        for name in members:
            if known and name not in known:
                import difflib

                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
                self._wrong(f"{what} has an unknown member {name!r}{hint}")
        return members

    def _text(self, value: object, what: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self._wrong(f"{what} must be text, and not empty")
        return value

    def _texts(self, members: Mapping[str, Any], name: str, known: Sequence[str] = ()) -> tuple[str, ...]:
        value = members.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
            self._wrong(f"{name!r} must be a list of texts")
        texts = cast("list[str]", value)
        if known and not set(texts) <= set(known):
            self._wrong(f"{name!r} may hold {', '.join(known)}")
        return tuple(texts)

    def _one_of(self, members: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
        value = members[name]
        if value not in known:
            self._wrong(f"{name!r} must be {' or '.join(known)}")
        return cast("str", value)

    def _wrong(self, what: str) -> NoReturn:
        raise ConfigurationError(f"{self._place}: {what}")
