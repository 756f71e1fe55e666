"""A policy in the making: what sections say, laid one over the other, and who said it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.gate.policy import FAILURE_CLASSES, FailureClass, OnFailure, Policy, Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.policy.file import PolicyFile, Section
from codex_oauth.gate.policy.lines import KeyPath
from codex_oauth.gate.request import Host
from codex_oauth.records import names, record

__all__ = ("BUILTIN_FILE", "Layer", "PolicyMaking", "Replaced", "made_of")

Layer: TypeAlias = Literal["built-in", "user", "main worktree", "project", "file"]

BUILTIN_FILE: Final = PolicyFile(modes={"plan": Section(append_rules=PLAN_RULES)})
"""What the built-in layer says besides `BUILTIN_POLICY`, which every policy begins with."""

_SIMPLE: Final = ("on_uncertain", "when_nobody", "model", "effort", "timeout", "transcript", "host_permissions")

_REPOSITORYS: Final = ("main worktree", "project")


@record()
class Replaced:
    """The rule of an earlier layer that another one of the same id stands in for.

    Attributes:
        layer: Whose it was.
        rule: What it said.
    """

    layer: Layer
    rule: Rule


class PolicyMaking:
    """A policy in the making.

    Attributes:
        origins: For each rule, the layer and section that it comes from, in words.
        switched_off: For each id that is switched off, where that is said.
        replaced: For each rule in place of an earlier layer's, that one.
        said_by: For each setting and each `on_failure.…`, the layer and section that spoke last.
    """

    def __init__(self) -> None:
        self.origins: dict[str, str] = {}
        self.switched_off: dict[str, str] = {}
        self.replaced: dict[str, Replaced] = {}
        self.said_by: dict[str, tuple[Layer, KeyPath]] = {}
        self._values: dict[str, Any] = {name: getattr(BUILTIN_POLICY, name) for name in names(Policy)}
        self._rules: dict[str, Rule] = {}
        self._seen: dict[str, Replaced] = {}
        self._on_failure: dict[FailureClass | Literal["default"], OnFailure] = {}
        for rule in BUILTIN_POLICY.rules:
            self._add(rule, "built-in", "built-in")

    def apply(self, section: Section, layer: Layer, at: KeyPath) -> None:
        """Lay a section over what there is."""
        origin = f"{layer} [{'.'.join(map(str, at))}]" if at else layer
        for name in _SIMPLE:
            value = getattr(section, name)
            if value is not None:
                self._values[name] = value
                self.said_by[name] = (layer, at)
        if section.cache is not None:
            # Whether old verdicts count is the user's to say. A repository, trusted or not, can want fewer of them.
            longest = self._values["cache"] if layer in _REPOSITORYS else section.cache
            self._values["cache"] = min(section.cache, longest)
            self.said_by["cache"] = (layer, at)
        if section.environment is not None:
            self._values["environment"] = section.environment
            self.said_by["environment"] = (layer, at)
        self._values["environment"] += section.append_environment
        if section.rules is not None:
            self._rules = {}
        for rule in (*(section.rules or ()), *section.append_rules):
            # A rule whose id is there already keeps its place in the order.
            self._add(rule, layer, origin)
            self.said_by[f"rule {rule.id}"] = (layer, at)
        for name in section.disable:
            self.switched_off.setdefault(name, origin)
            self.said_by.setdefault(f"disable {name}", (layer, at))
        for name, outcome in section.on_failure.items():
            self._on_failure[name] = outcome
            self.said_by[f"on_failure.{name}"] = (layer, at)

    def _add(self, rule: Rule, layer: Layer, origin: str) -> None:
        before = self._seen.get(rule.id)
        if before is not None and before.layer != layer:
            self.replaced[rule.id] = before
        self._seen[rule.id] = Replaced(layer, rule)
        self._rules[rule.id] = rule
        self.origins[rule.id] = origin

    def policy(self) -> Policy:
        """What the layers make together."""
        # At the end: no layer switches on again what an earlier one has switched off.
        rules = tuple(rule for name, rule in self._rules.items() if name not in self.switched_off)
        # "ask" is what a class that is not named means: policies that judge alike have the same fingerprint.
        default = self._on_failure.get("default", "ask")
        on_failure = {
            name: outcome for name in FAILURE_CLASSES if (outcome := self._on_failure.get(name, default)) != "ask"
        }
        values: dict[str, Any] = {**self._values, "rules": rules, "on_failure": on_failure}
        return Policy(**values)


def made_of(files: Iterable[tuple[Layer, PolicyFile]], *, host: Host | None, mode: str | None) -> PolicyMaking:
    """Lay files over the built-in rules: what they say for every request, then for the host, then for the mode.

    Args:
        files: The layers, the earliest first; `BUILTIN_FILE` among them.
        host: Whose request it is; None where no host's own section counts.
        mode: The host's permission mode; None where no mode's own section counts.
    """
    known = tuple(files)
    made = PolicyMaking()
    hosts: Mapping[Layer, Section | None] = {layer: file.hosts.get(host) if host else None for layer, file in known}
    modes: Mapping[Layer, Section | None] = {layer: file.modes.get(mode) if mode else None for layer, file in known}
    for layer, file in known:
        made.apply(file.base, layer, ())
    for layer, section in hosts.items():
        if section is not None:
            made.apply(section, layer, ("host", host or ""))
    for layer, section in modes.items():
        if section is not None:
            made.apply(section, layer, ("mode", mode or ""))
    return made
