"""The policy that counts for a request: the built-in rules, the user's file, the repository's, one over the other.

First everything that the layers say for every request, the earliest layer first; then what they say for this host; then
for this mode. So the specific beats the general, and where both are equally specific, the later layer wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.context import GitContext
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.policy.file import PolicyFile, Problem, ProjectPolicies, Section, parse_policy
from codex_oauth.gate.policy.making import BUILTIN_FILE, Layer, Replaced, made_of
from codex_oauth.gate.policy.repository import (
    PROJECT_FILE,
    PROJECT_FOLDER,
    Standing,
    policy_path,
    read_content,
    standing,
    trust_command,
)
from codex_oauth.gate.policy.trust import TrustedFiles
from codex_oauth.gate.request import Host
from codex_oauth.records import field, record, replace

__all__ = (
    "Layer",
    "LoadedPolicy",
    "Source",
    "SourceState",
    "load_policy",
    "loosened_by",
    "read_layers",
    "user_policy_path",
)

SourceState: TypeAlias = Literal["counted", "absent", "passed over", "broken"]

_TOLD: Final = 3
"""Of what a file loosens, in one line; `gate check` lists all of it."""


@record()
class Source:
    """A place where a policy may come from.

    Attributes:
        layer: Which one it is.
        path: The file; None for the built-in rules.
        state: What became of it.
        why: Why it counts or was passed over; empty where there is nothing to say.
        mend: The command that makes it count; empty where none does.
        problems: What is wrong with it, if it is broken; what it loosens, if it is passed over for that.
        also: Its sections for other hosts and modes than those that were asked for.
    """

    layer: Layer
    path: Path | None
    state: SourceState
    why: str = ""
    mend: str = ""
    problems: tuple[Problem, ...] = ()
    also: tuple[str, ...] = ()


@record(kw_only=True)
class LoadedPolicy:
    """A policy, and where it comes from.

    Attributes:
        policy: The policy.
        sources: Every place that was looked at, the earliest layer first.
        origins: For each rule's id, the layer that it comes from, with the section if it is in one.
        switched_off: For each rule's id that was switched off, the layer that did it.
        replaced: For each rule's id that an earlier layer has too, that layer's rule.
    """

    policy: Policy
    sources: tuple[Source, ...]
    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    switched_off: Mapping[str, str] = field(default_factory=dict[str, str])
    replaced: Mapping[str, Replaced] = field(default_factory=dict[str, Replaced])

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
    reading = _Reading()
    if file is not None:
        reading.own("file", file, needed=True)
    else:
        user = reading.own("user", user_policy_path(settings), needed=False)
        if git is not None:
            reading.repository(git, settings, user.project_policies or "untracked")
    made = made_of(reading.counted, host=host, mode=mode)
    policy = made.policy()
    left = {rule.id for rule in policy.rules}
    return LoadedPolicy(
        policy=policy,
        sources=tuple(_with_others(source, reading.counted, host, mode) for source in reading.sources),
        origins={name: origin for name, origin in made.origins.items() if name in left},
        switched_off=made.switched_off,
        replaced={name: before for name, before in made.replaced.items() if name in left},
    )


def loosened_by(settings: Settings, file: PolicyFile) -> tuple[Problem, ...]:
    """What a repository's file takes back of the built-in rules and of the user's own file, as far as that is right."""
    from codex_oauth.gate.policy.loosening import loosenings

    reading = _Reading()
    reading.own("user", user_policy_path(settings), needed=False)
    return loosenings("project", file, reading.counted, ())


def _with_others(
    source: Source, counted: list[tuple[Layer, PolicyFile]], host: Host | None, mode: str | None
) -> Source:
    others = tuple(
        f"[{'.'.join(map(str, at))}]"
        for layer, file in counted
        if layer == source.layer and source.path is not None
        for at, section in file.sections()
        if at and at not in (("host", host), ("mode", mode)) and section != Section()
    )
    return replace(source, also=others) if others else source


class _Reading:
    """The files as they are found, the earliest layer first."""

    def __init__(self) -> None:
        self.sources = [Source("built-in", None, "counted")]
        self.counted: list[tuple[Layer, PolicyFile]] = [("built-in", BUILTIN_FILE)]
        self._known = {rule.id for rule in (*BUILTIN_POLICY.rules, *PLAN_RULES)}

    def own(self, layer: Layer, path: Path, *, needed: bool) -> PolicyFile:
        """A file that counts, whoever wrote it."""
        try:
            read, problems = self._parsed(path, read_content(path, follow=True).data)
        except (FileNotFoundError, NotADirectoryError):
            if not needed:
                self.sources.append(Source(layer, path, "absent"))
                return PolicyFile()
            read, problems = PolicyFile(), (Problem(None, "no such policy file"),)
        except OSError as error:
            # Rules that are there and cannot be read may be denials: nothing is judged without them.
            read, problems = PolicyFile(), (Problem(None, f"cannot be read: {error.strerror}"),)
        self._count(layer, path, read, problems, "")
        return read

    def repository(self, git: GitContext, settings: Settings, policies: ProjectPolicies) -> None:
        """A repository's own files: of the main work tree, where the request comes from a linked one, and of this."""
        roots: dict[Layer, str] = {}
        main = git.main_worktree if git.main_worktree != git.root else None
        if main is not None:
            roots["main worktree"] = main
        roots["project"] = git.root
        trusted = TrustedFiles(settings)
        found: dict[Layer, tuple[Standing, PolicyFile, tuple[Problem, ...]]] = {}
        for layer, root in roots.items():
            stands = standing(
                root,
                policies=policies,
                trusted=trusted,
                environ=settings.inherited,
                main=main if layer == "project" else None,
            )
            if stands is not None:
                read, problems = PolicyFile(), ()
                if stands.content is not None:
                    read, problems = self._parsed(policy_path(root), stands.content)
                found[layer] = (stands, read, problems)
        for layer, root in roots.items():
            path = policy_path(root)
            if layer not in found:
                self.sources.append(Source(layer, path, "absent"))
                continue
            stands, read, problems = found.pop(layer)
            if stands.content is None and policies == "required":
                message = f'your own file says project_policies = "required", and {stands.why}'
                problem = Problem(None, f"{message}: {stands.mend}" if stands.mend else message)
                self.sources.append(Source(layer, path, "broken", stands.why, stands.mend, (problem,)))
            elif stands.content is None:
                self.sources.append(Source(layer, path, "passed over", stands.why, stands.mend))
            elif not stands.trusted and not problems and (loose := self._loosened(layer, read, found)):
                why = f"you have not trusted it, and it loosens what other layers say ({_told(loose)})"
                self.sources.append(Source(layer, path, "passed over", why, trust_command(path), loose))
            else:
                self._count(layer, path, read, problems, stands.why)

    def _loosened(
        self,
        layer: Layer,
        read: PolicyFile,
        later: Mapping[Layer, tuple[Standing, PolicyFile, tuple[Problem, ...]]],
    ) -> tuple[Problem, ...]:
        from codex_oauth.gate.policy.loosening import loosenings

        # A section of this file would beat the general words of a later one that is trusted.
        after: list[tuple[Layer, PolicyFile]] = [
            (name, file) for name, (stands, file, _) in later.items() if stands.trusted
        ]
        return loosenings(layer, read, self.counted, after)

    def _parsed(self, path: Path, content: bytes) -> tuple[PolicyFile, tuple[Problem, ...]]:
        read, problems = parse_policy(content)
        problems = problems or tuple(_unfitting(read, path, self._known))
        self._known.update(read.rule_ids)
        return read, problems

    def _count(self, layer: Layer, path: Path, read: PolicyFile, problems: tuple[Problem, ...], why: str) -> None:
        self.sources.append(Source(layer, path, "broken" if problems else "counted", why, problems=problems))
        if not problems:
            self.counted.append((layer, read))


def _told(loose: tuple[Problem, ...]) -> str:
    told = [f"line {problem.line}: {problem.message}" if problem.line else problem.message for problem in loose]
    more = len(told) - _TOLD
    return "; ".join((*told[:_TOLD], f"and {more} more") if more > 0 else told)


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
                message = f"'disable' names {name!r}, and no rule of this file or of an earlier layer has that id{hint}"
                problems.append(Problem(read.lines.of((*at, "disable")), message))
    return problems
