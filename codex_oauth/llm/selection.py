"""Which credential `ctx.llm` uses: the order of the sources, and what the persona's model prefers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from codex_oauth.llm.credentials import SkippedSource, given, plan_source
from codex_oauth.records import record

__all__ = ("PLAN", "Family", "Provider", "Selection", "model_family", "select_credential", "without_prefix")

Provider: TypeAlias = Literal["anthropic", "codex-backend", "openai", "opencode"]
"""Who would answer: `codex-backend` is ChatGPT, which the plan pays for; the others bill a key of their own."""

Family: TypeAlias = Literal["anthropic", "codex", "openai", "opencode"]
"""Whose model a persona names."""

PLAN: Final = "codex-backend"

_PREFERRED: Final[Mapping[Family, tuple[Provider, ...]]] = {
    "anthropic": ("anthropic",),
    "codex": ("codex-backend", "openai"),
    "openai": ("openai", "codex-backend"),
    "opencode": ("opencode",),
}
"""Whose credential a family takes, if there is one; else the first that there is."""


@record(kw_only=True)
class Selection:
    """A credential that was chosen. It holds the name of a variable, and no value of one.

    Attributes:
        provider: Whose it is.
        source: What gave it: a variable's name, or what `select_credential` was given as `plan`.
        model: What to ask that provider for, without a prefix such as `openai/`; None for the provider's own default,
            also where the persona names another provider's model.
        family: Whose model the persona names; None for nobody's that is known.
        skipped: What was set for the plan and is no credential.
    """

    provider: Provider
    source: str
    model: str | None = None
    family: Family | None = None
    skipped: tuple[SkippedSource, ...] = ()


def select_credential(
    environ: Mapping[str, str], model: str | None = None, *, harness: str | None = None, plan: str | None = None
) -> Selection | None:
    """The credential for a persona's model; None where there is none at all.

    The sources in their order: `ANTHROPIC_API_KEY`, else `CLAUDE_CODE_OAUTH_TOKEN`; `CODEX_OAUTH_CREDENTIAL`, else
    `CODEX_OAUTH_TOKEN` with an account id, else `plan`; `OPENAI_API_KEY`; `OPENCODE_API_KEY`. The first one is taken,
    unless the model's family prefers another that is there.

    Args:
        environ: The environment.
        model: The persona's model, with or without a provider's prefix.
        harness: The persona's harness, which counts where the model names no family.
        plan: What else there is to have the plan pay, such as a home that is signed in.
    """
    there: dict[Provider, str] = {}
    for source in ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"):
        if given(environ, source):
            there.setdefault("anthropic", source)
    variable, skipped = plan_source(environ)
    if chosen := variable or plan:
        there[PLAN] = chosen
    if given(environ, "OPENAI_API_KEY"):
        there["openai"] = "OPENAI_API_KEY"
    if given(environ, "OPENCODE_API_KEY"):
        there["opencode"] = "OPENCODE_API_KEY"
    family = model_family(model, harness)
    if not there:
        return None
    order: list[Provider] = [*(_PREFERRED[family] if family else ()), *there]
    provider = next(filter(there.get, order))
    return Selection(
        provider=provider,
        source=there[provider],
        model=_asked_of(provider, family, (model or "").strip()),
        family=family,
        skipped=skipped,
    )


def model_family(model: str | None, harness: str | None = None) -> Family | None:
    """Whose model this is, by its name; None where the name does not say."""
    name = (model or "").strip().lower()
    if name.startswith("anthropic/") or "claude" in name:
        return "anthropic"
    if "codex" in name:
        return "codex"
    if name.startswith("openai/") or "gpt-" in name:
        return "openai"
    if name.startswith("opencode/") or (harness or "").strip() == "opencode":
        return "opencode"
    return None


def without_prefix(model: str) -> str:
    """A model's name without the provider's: `openai-codex/codex-latest` is `codex-latest`."""
    return model.partition("/")[2] or model


def _asked_of(provider: Provider, family: Family | None, model: str) -> str | None:
    name = without_prefix(model) or None
    match provider:
        case "codex-backend":
            # A name of nobody's is looked for in the catalogue, where an unknown one is an error.
            return name if family in ("codex", "openai", None) else None
        case "openai":
            # The codex models are not offered to API keys.
            return name if family == "openai" or (family == "codex" and "codex" not in (name or "").lower()) else None
        case "anthropic":
            return name if family == "anthropic" else None
        case "opencode":
            return name if family == "opencode" else model or None
