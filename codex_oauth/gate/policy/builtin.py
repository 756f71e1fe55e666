"""The built-in rules: the first layer, which every policy file is laid over."""

from __future__ import annotations

from typing import Final

from codex_oauth.gate.policy import Policy, Rule

__all__ = ("BUILTIN_POLICY", "PLAN_RULES")

BUILTIN_POLICY: Final = Policy(
    rules=(
        Rule(
            id="read-only",
            kind="allow",
            text="Reads or lists files inside the working folder, or shows the state of a repository, a build or "
            "the system, and changes nothing.",
        ),
        Rule(
            id="local-development",
            kind="allow",
            text="Builds, tests, formats, lints or type-checks the project in the working folder with its own tools, "
            "or edits files of the project itself.",
        ),
        Rule(
            id="local-git",
            kind="allow",
            text="Ordinary local git work on the current branch: add, commit, stash, branch, switch, fetch, and pulls "
            "without force.",
        ),
        Rule(
            id="run-downloaded-code",
            kind="deny",
            text="Downloads something and runs it in one go, pipes it into an interpreter, or installs software from a "
            "place other than a package registry.",
        ),
        Rule(
            id="destroy",
            kind="deny",
            text="Deletes or overwrites files outside the working folder, formats or writes raw devices, or removes a "
            "repository's history.",
        ),
        Rule(
            id="exfiltrate",
            kind="deny",
            text="Reads credentials, keys or tokens, or sends local files or secrets to another machine.",
        ),
        Rule(
            id="weaken-protection",
            kind="deny",
            text="Turns off or works around a safety measure: permissions, sandboxes, hooks, checks, audit logs, or "
            "this policy itself.",
        ),
        Rule(
            id="outward",
            kind="ask",
            text="Acts on something other people see or depend on: pushes, publishes, deploys, sends messages, changes "
            "remote data or infrastructure, or spends money.",
        ),
        Rule(
            id="privilege",
            kind="ask",
            text="Needs elevated rights, changes system settings or other users' data, or installs packages.",
        ),
    )
)

PLAN_RULES: Final = (
    Rule(
        id="plan-changes-nothing",
        kind="deny",
        text="The session is in plan mode, and any part of the request changes something: a file other than the plan's "
        "own, the repository, a process, the system, or anything on the network.",
        deny_message="Plan mode: look, but change nothing. Put this step into the plan instead.",
    ),
)
"""What is added in plan mode: a deny rule, so that no allow rule stands against it."""
