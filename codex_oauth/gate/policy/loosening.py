"""What a policy file takes back of what other layers say: a file that nobody looked at may only make it stricter.

It is found by its effect: the policies with and without the file are compared, for each host and mode that any layer
has a section for. So it makes no difference in which section something stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from codex_oauth.gate.policy import Behavior, Policy, Rule
from codex_oauth.gate.policy.file import PolicyFile, Problem
from codex_oauth.gate.policy.lines import KeyPath
from codex_oauth.gate.policy.making import Layer, PolicyMaking, made_of
from codex_oauth.gate.request import Host

__all__ = ("loosenings", "reckless")

_STRICTNESS: Final[dict[Behavior, int]] = {"allow": 0, "ask": 1, "deny": 2}


def loosenings(
    layer: Layer,
    file: PolicyFile,
    before: Sequence[tuple[Layer, PolicyFile]],
    after: Sequence[tuple[Layer, PolicyFile]],
) -> tuple[Problem, ...]:
    """What a file loosens of the other layers, in the order of its lines.

    Args:
        layer: Which layer it is.
        file: What it says.
        before: The earlier layers, the built-in one among them.
        after: The later ones. A section for a host or mode beats a later layer's general words, too.
    """
    found: dict[Problem, None] = {}
    for at, section in file.sections():
        if section.rules is not None:
            found[_at(file, (*at, "rules"), at, "replaces all rules of earlier layers")] = None
    layers = (*before, *after)
    hosts: set[Host | None] = {None}.union(*(known.hosts for _, known in (*layers, (layer, file))))
    modes: set[str | None] = {None}.union(*(known.modes for _, known in (*layers, (layer, file))))
    for host in hosts:
        for mode in modes:
            without = made_of(layers, host=host, mode=mode).policy()
            made = made_of((*before, (layer, file), *after), host=host, mode=mode)
            effect = _Effect(file, layer, made, without)
            for place, at, words in (*effect.settings(), *effect.rules()):
                found[_at(file, place, at, words)] = None
    return tuple(sorted(found, key=lambda problem: (problem.line or 0, problem.message)))


def reckless(policy: Policy) -> tuple[str, ...]:
    """What a policy permits that few would want, in words; empty for most."""
    found: list[str] = []
    if not any(rule.kind == "deny" for rule in policy.rules):
        found.append("no rule denies anything")
    if policy.on_uncertain == "allow":
        found.append('on_uncertain = "allow": whatever no rule speaks of is allowed')
    if policy.when_nobody == "allow":
        found.append('when_nobody = "allow": on Codex with approvals off, what a rule asks about is allowed')
    return tuple(found)


def _at(file: PolicyFile, place: KeyPath, at: KeyPath, words: str) -> Problem:
    where = f" in [{'.'.join(map(str, at))}]" if at else ""
    return Problem(file.lines.of(place), f"{words}{where}")


class _Effect:
    """What the policy with this layer is, against the one without it."""

    def __init__(self, file: PolicyFile, layer: Layer, made: PolicyMaking, without: Policy) -> None:
        self._sections = dict(file.sections())
        self._layer = layer
        self._made = made
        self._policy = made.policy()
        self._without = without

    def _said(self, key: str) -> KeyPath:
        layer, at = self._made.said_by.get(key, (None, ()))
        return at if layer == self._layer else ()

    def settings(self) -> Iterator[tuple[KeyPath, KeyPath, str]]:
        """Where something is said, its section, and what is said."""
        without, policy = self._without, self._policy
        for key in ("on_uncertain", "when_nobody"):
            was: Behavior = getattr(without, key)
            now: Behavior = getattr(policy, key)
            if _STRICTNESS[now] < _STRICTNESS[was]:
                at = self._said(key)
                yield (*at, key), at, f'{key} = "{now}" instead of "{was}"'
        for key in ("transcript", "host_permissions"):
            # Either way: without it the model misses what forbids, and with it, it reads what others wrote.
            if getattr(policy, key) != getattr(without, key):
                at = self._said(key)
                words = ("true", "false") if getattr(policy, key) else ("false", "true")
                yield (*at, key), at, f"{key} = {words[0]} instead of {words[1]}"
        if not set(without.environment) <= set(policy.environment):
            at = self._said("environment")
            yield (*at, "environment"), at, "replaces environment notes of other layers"
        for name in without.on_failure:
            if name not in policy.on_failure:
                key = name if f"on_failure.{name}" in self._made.said_by else "default"
                at = self._said(f"on_failure.{key}")
                yield (*at, "on_failure", key), at, f'on_failure.{key} = "ask" instead of "deny"'

    def rules(self) -> Iterator[tuple[KeyPath, KeyPath, str]]:
        """The same, of rules. That `rules` takes the place of all is not looked at here."""
        after = {rule.id: rule for rule in self._policy.rules}
        for was in self._without.rules:
            now = after.get(was.id)
            if now is None and was.kind != "allow" and was.id in self._made.switched_off:
                at = self._said(f"disable {was.id}")
                yield (*at, "disable"), at, f"switches off {was.id!r} ({was.kind})"
            elif now is not None and not _as_strict(was, now):
                at = self._said(f"rule {was.id}")
                yield self._place(was.id, at), at, f"replaces {was.id!r} ({was.kind}) by {_called(now, was)}"

    def _place(self, name: str, at: KeyPath) -> KeyPath:
        section = self._sections[at]
        for key, rules in (("append_rules", section.append_rules), ("rules", section.rules or ())):
            for number, rule in enumerate(rules):
                if rule.id == name:
                    return (*at, key, number, "id")
        return at


def _as_strict(was: Rule, now: Rule) -> bool:
    # Another sentence may apply to nothing at all. Where an allowance is gone, only less is allowed.
    if was == now or (was.kind == "allow" and now.kind != "allow"):
        return True
    return was.text == now.text and _STRICTNESS[now.kind] > _STRICTNESS[was.kind]


def _called(now: Rule, was: Rule) -> str:
    if now.kind == was.kind:
        return "another one"
    return f"{'a' if now.kind == 'deny' else 'an'} {now.kind} rule{'' if now.text == was.text else ' with other words'}"
