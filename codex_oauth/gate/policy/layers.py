"""The policy that counts for a request: the built-in rules, the user's file, the repository's, one over the other.

First everything that the layers say for every request, the lowest layer first; then what they say for this host; then
for this mode. So the specific beats the general, and where both are equally specific, the later layer wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.context import GitContext
from codex_oauth.gate.policy import FAILURE_CLASSES, FailureClass, OnFailure, Policy, Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.policy.file import PolicyFile, Problem, ProjectPolicies, Section, parse_policy
from codex_oauth.gate.policy.repository import PROJECT_FILE, PROJECT_FOLDER, policy_path, read_content, standing
from codex_oauth.gate.policy.trust import TrustedFiles
from codex_oauth.gate.request import Host

__all__ = ("Layer", "LoadedPolicy", "Source", "SourceState", "load_policy", "read_layers", "user_policy_path")

Layer: TypeAlias = Literal["built-in", "user", "main worktree", "project", "file"]
SourceState: TypeAlias = Literal["counted", "absent", "passed over", "broken"]

_BUILT_IN: Final = PolicyFile(modes={"plan": Section(append_rules=PLAN_RULES)})
_SIMPLE: Final = ("on_uncertain", "when_nobody", "model", "effort", "timeout", "transcript", "host_permissions")


@dataclass(frozen=True, slots=True)
class Source:
    """A place where a policy may come from.

    Attributes:
        layer: Which one it is.
        path: The file; None for the built-in rules.
        state: What became of it.
        why: Why it counts or was passed over; empty where there is nothing to say.
        mend: The command that makes it count; empty where none does.
        problems: What is wrong with it, if it is broken.
    """

    layer: Layer
    path: Path | None
    state: SourceState
    why: str = ""
    mend: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicy:
    """A policy, and where it comes from.

    Attributes:
        policy: The policy.
        sources: Every place that was looked at, the lowest layer first.
        origins: For each rule's id, the layer that it comes from, with the section if it is in one.
        switched_off: For each rule's id that was switched off, the layer that did it.
    """

    policy: Policy
    sources: tuple[Source, ...]
    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    switched_off: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each file that was passed over."""
        return tuple(
            f"a policy file is passed over, since {source.why}: {source.mend or source.path}"
            for source in self.sources
            if source.state == "passed over"
        )


def user_policy_path(settings: Settings) -> Path:
    """Where the user's own policy file is, if there is one."""
    return settings.config_dir / PROJECT_FILE


def load_policy(
    settings: Settings, *, host: Host | None, mode: str | None, git: GitContext | None, file: Path | None = None
) -> LoadedPolicy:
    """The policy for a request.

    Args:
        settings: Where the user's files are.
        host: Whose request it is; None where no host's own section counts.
        mode: The host's permission mode; None where no mode's own section counts.
        git: The repository that it comes from.
        file: A file to use instead of the user's and the repository's.

    Raises:
        ConfigurationError: A file that counts is wrong. The message has its path, the line and what would be right.
    """
    loaded = read_layers(settings, host=host, mode=mode, git=git, file=file)
    for source in loaded.sources:
        if source.state == "broken":
            more = len(source.problems) - 1
            rest = f" (and {more} more: codex-oauth gate check lists them)" if more else ""
            raise ConfigurationError(f"{source.problems[0].at(source.path)}{rest}")
    return loaded


def read_layers(
    settings: Settings, *, host: Host | None, mode: str | None, git: GitContext | None, file: Path | None = None
) -> LoadedPolicy:
    """The same, with broken files among the sources. The policy is then one that nothing may be judged by."""
    sources = [Source("built-in", None, "counted")]
    counted: list[tuple[Layer, PolicyFile]] = [("built-in", _BUILT_IN)]
    known = {rule.id for rule in (*BUILTIN_POLICY.rules, *PLAN_RULES)}

    def count(layer: Layer, path: Path, content: bytes, why: str) -> PolicyFile:
        read, problems = parse_policy(content)
        problems = problems or tuple(_unfitting(read, path, known))
        if problems:
            sources.append(Source(layer, path, "broken", why, problems=problems))
        else:
            sources.append(Source(layer, path, "counted", why))
            counted.append((layer, read))
        known.update(read.rule_ids)
        return read

    def own(layer: Layer, path: Path, *, needed: bool) -> PolicyFile:
        try:
            return count(layer, path, read_content(path, follow=True).data, "")
        except (FileNotFoundError, NotADirectoryError):
            if not needed:
                sources.append(Source(layer, path, "absent"))
                return PolicyFile()
            problem = Problem(None, "no such policy file")
        except OSError as error:
            # Rules that are there and cannot be read may be denials: nothing is judged without them.
            problem = Problem(None, f"cannot be read: {error.strerror}")
        sources.append(Source(layer, path, "broken", problems=(problem,)))
        return PolicyFile()

    if file is not None:
        own("file", file, needed=True)
    else:
        user = own("user", user_policy_path(settings), needed=False)
        policies: ProjectPolicies = user.project_policies or "untracked"
        trusted = TrustedFiles(settings)
        roots: dict[Layer, str] = {}
        if git is not None:
            if git.main_worktree not in (None, git.root):
                roots["main worktree"] = git.main_worktree
            roots["project"] = git.root
        for layer, root in roots.items():
            path = policy_path(root)
            found = standing(root, policies=policies, trusted=trusted, environ=settings.inherited)
            if found is None:
                sources.append(Source(layer, path, "absent"))
            elif found.content is None:
                sources.append(Source(layer, path, "passed over", found.why, found.mend))
            else:
                count(layer, path, found.content, found.why)
    made = _Made()
    places: tuple[tuple[str, ...], ...] = ((), ("host", host or ""), ("mode", mode or ""))
    for place in places:
        for layer, content in counted:
            for at, section in content.sections():
                if at == place:
                    made.apply(section, f"{layer} [{'.'.join(place)}]" if place else layer)
    return LoadedPolicy(
        policy=made.policy(), sources=tuple(sources), origins=made.origins, switched_off=made.switched_off
    )


def _unfitting(read: PolicyFile, path: Path, known: set[str]) -> list[Problem]:
    """What is wrong with a file that is right in itself."""
    problems: list[Problem] = []
    if read.project_policies is not None and path.parts[-2:] == (PROJECT_FOLDER, PROJECT_FILE):
        message = "'project_policies' is for your own file: a repository has no say in what is trusted"
        problems.append(Problem(read.lines.of(("project_policies",)), message))
    names = known | read.rule_ids
    for at, section in read.sections():
        for name in section.disable:
            if name not in names:
                import difflib

                near = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(names))}"
                message = f"'disable' names {name!r}, and no rule in this file or below it has that id{hint}"
                problems.append(Problem(read.lines.of((*at, "disable")), message))
    return problems


class _Made:
    """A policy in the making."""

    def __init__(self) -> None:
        self.origins: dict[str, str] = {rule.id: "built-in" for rule in BUILTIN_POLICY.rules}
        self.switched_off: dict[str, str] = {}
        self._values: dict[str, Any] = {item.name: getattr(BUILTIN_POLICY, item.name) for item in fields(Policy)}
        self._rules: dict[str, Rule] = {rule.id: rule for rule in BUILTIN_POLICY.rules}
        self._on_failure: dict[FailureClass | Literal["default"], OnFailure] = {}

    def apply(self, section: Section, origin: str) -> None:
        """Lay a section over what there is."""
        for name in _SIMPLE:
            value = getattr(section, name)
            if value is not None:
                self._values[name] = value
        if section.environment is not None:
            self._values["environment"] = section.environment
        self._values["environment"] += section.append_environment
        if section.rules is not None:
            self._rules = {}
        for rule in (*(section.rules or ()), *section.append_rules):
            # A rule whose id is there already keeps its place in the order.
            self._rules[rule.id] = rule
            self.origins[rule.id] = origin
        for name in section.disable:
            self.switched_off.setdefault(name, origin)
        self._on_failure.update(section.on_failure)

    def policy(self) -> Policy:
        """What the layers make together."""
        # At the end: no layer switches on again what one below it has switched off.
        rules = tuple(rule for name, rule in self._rules.items() if name not in self.switched_off)
        self.origins = {rule.id: self.origins[rule.id] for rule in rules}
        # "ask" is what a class that is not named means: policies that judge alike have the same fingerprint.
        default = self._on_failure.get("default", "ask")
        on_failure = {
            name: outcome for name in FAILURE_CLASSES if (outcome := self._on_failure.get(name, default)) != "ask"
        }
        values: dict[str, Any] = {**self._values, "rules": rules, "on_failure": on_failure}
        return Policy(**values)
