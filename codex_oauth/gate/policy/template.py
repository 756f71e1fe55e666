"""The policy file to begin with: every key as a comment, so that it changes nothing until a line is made one's own."""

from __future__ import annotations

import textwrap
from typing import Final

from codex_oauth.gate.policy import FAILURE_CLASSES, Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES

__all__ = ("policy_template",)

_WIDTH: Final = 100

_USER: Final = """\
# What a coding agent may do on this machine, in words: the permission policy of codex-oauth.
#
# As it was written it changes nothing: every line is a comment, and the built-in rules at the end apply. Take the "#"
# off a line that has no space behind it, and it counts. `codex-oauth gate check` shows what does, and what is wrong.
"""

_PROJECT: Final = """\
# What a coding agent may do in this repository, in words: a permission policy of codex-oauth.
#
# It is laid over your own file for all repositories. Once you trusted it as it is (`codex-oauth gate trust`), it may do
# everything. Until then it counts only if git does not track it and it loosens nothing: no `rules`, no `disable` of a
# deny or ask rule, no rule in place of an earlier one, no laxer setting.
#
# As it was written it changes nothing: every line is a comment. Take the "#" off a line that has no space behind it,
# and it counts. `codex-oauth gate check` shows what does, and what is wrong.
"""

_TRUST: Final = """
# --- Which repositories' own files count besides this one

# Recommended: trusted. An untracked file may be the work of the very agent that it judges, and its sentences are words
# that the model reads. A trusted one counts as you last looked at it: `codex-oauth gate trust`.
# - untracked: those that you trusted; those that git does not track too, as far as they loosen nothing. The default.
# - trusted: only those that you trusted. Others are passed over.
# - required: the same, but one that is there and does not count is an error, and nothing is judged.
# - off: none.
#project_policies = "trusted"
"""

_KEYS: Final = """
# --- Where the rules do not decide

# The verdict where no rule applies: ask, allow or deny.
#on_uncertain = "ask"

# What "ask" becomes on Codex with approvals off, where nobody can be asked: deny, ask or allow. With ask, Codex refuses
# by itself.
#when_nobody = "deny"

# --- How it is judged

# A model's id and a reasoning effort. Left out: what config.toml says, else the first of the small tier at its lowest.
#model = "gpt-6-luna"
#effort = "low"

# Seconds for a verdict. Left out: what config.toml says, else 30.
#timeout = 30

# How long a verdict of the model's may answer the same request again: seconds, or a time such as "10m"; 0 for never.
# A repository's file can only make it shorter.
#cache = 0

# Whether the model sees the end of the conversation, and the permission rules of the host's own settings.
#transcript = true
#host_permissions = true

# --- Where the agent works

# Notes for the model. `environment` takes the place of the notes of earlier layers, `append_environment` adds to them.
#environment = []
#append_environment = ["This machine is a throw-away container."]
"""

_RULES: Final = """
# --- Rules

# Single rules to switch off, by their ids.
#disable = []

# All lines up to here belong to the file as a whole. After a line with [brackets], they belong to what it names.

# A rule is an id, and one of allow, deny and ask with a sentence for the model. [[append_rules]] adds one, or takes the
# place of the one with the same id. [[rules]] takes the place of all rules there are, the built-in ones among them.
#[[append_rules]]
#id = "staging"
#deny = "Touches the staging database in any way, even to read it."
#deny_message = "Use the local database instead."

# On Claude Code, what such a rule allowed need not be asked again: in this session, or in this project (local).
#[[append_rules]]
#id = "formatters"
#allow = "Runs a code formatter on files of the project."
#remember = "session"

# --- What becomes of a request that has no verdict: ask or deny, and never allow
"""

_SECTIONS: Final = """
# --- For one host, or one permission mode only: every key but `project_policies`

# Hosts: claude, codex. Modes: default, acceptEdits, plan, dontAsk, bypassPermissions.
#[host.codex]
#append_environment = ["There is no Docker here."]
#[[mode.plan.append_rules]]
#id = "plan-no-network"
#deny = "Reaches the network."
"""


def policy_template(*, project: bool) -> str:
    """A policy file that says nothing yet.

    Args:
        project: Whether it is for one repository, and not for the user.
    """
    return "".join(
        (
            _PROJECT if project else _USER,
            "" if project else _TRUST,
            _KEYS,
            _RULES,
            _failures(),
            _SECTIONS,
            "\n# --- The built-in rules\n",
            *map(_listed, BUILTIN_POLICY.rules),
            "\n# In plan mode:\n",
            *map(_listed, PLAN_RULES),
        )
    )


def _failures() -> str:
    width = max(map(len, FAILURE_CLASSES)) + len(' = "ask"')
    lines = [f"#{_asks(name):<{width}}  # {what}\n" for name, what in FAILURE_CLASSES.items()]
    return "".join(["#[on_failure]\n", *lines, f"#{_asks('default'):<{width}}  # whatever is not named here\n"])


def _asks(name: str) -> str:
    return f'{name} = "ask"'


def _listed(rule: Rule) -> str:
    wrapped = textwrap.wrap(rule.text, _WIDTH, initial_indent="#     ", subsequent_indent="#     ")
    return "\n".join((f"#   {rule.id} [{rule.kind}]", *wrapped, ""))
