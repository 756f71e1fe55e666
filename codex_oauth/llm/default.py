"""The `ctx.llm` that an environment and a persona ask for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from codex_oauth.account import read_sign_in
from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, environment, load_settings
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.llm.catalogue import UnknownModel
from codex_oauth.llm.codex_llm import CodexLlm, Log, SyncCodexLlm, log_to_logging
from codex_oauth.llm.context import LlmContext, SyncLlmContext
from codex_oauth.llm.credentials import CREDENTIAL, TOKEN, other_backend, plan_source, with_source_alone
from codex_oauth.llm.failures import PREFIX, LlmError, llm_error
from codex_oauth.llm.selection import PLAN, Provider, Selection, select_credential
from codex_oauth.sync_client import Codex

__all__ = ("HOME", "create_default_llm", "create_default_sync_llm")

HOME: Final = "codex_oauth home"
"""The source's name where the plan is that of a managed home's sign-in."""


def create_default_llm(
    *,
    persona_model: str | None = None,
    persona: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    log: Log | None = None,
    codex: AsyncCodex | None = None,
    providers: Mapping[Provider, Callable[[Selection], LlmContext]] | None = None,
    unknown_model: UnknownModel = "error",
) -> LlmContext | None:
    """The `ctx.llm` for a persona, by the credentials that there are; None where there is none.

    `select_credential` has the order. Only the plan's leg is this package's own: where another provider is chosen, its
    factory in `providers` makes the `LlmContext`, and without one that is an error. Nothing else is tried instead, so
    that no other wallet pays than the chosen one. What is chosen is told once, as `info`, by name.

    Args:
        persona_model: The persona's model.
        persona: The persona; `model` and `harness` are read. `persona_model` goes before its `model`.
        environ: The environment; this process's by default.
        log: Who is told; by default the logger `codex_oauth.llm`.
        codex: What makes the plan's calls, instead of the client that the environment makes; it is the plan's source
            then, whatever the environment holds for the plan.
        providers: What makes an `LlmContext` for another provider's credential. The value is in the environment, under
            `Selection.source`.
        unknown_model: What to do about a model that the plan's catalogue does not have: `error`, or `default`.

    Raises:
        LlmError: Another provider was chosen and has no factory; requests are to go to another host than ChatGPT's; or
            the configuration is wrong.
    """
    with _in_its_words():
        chosen = _choose(persona_model, persona, environ, log, None if codex is None else codex.settings)
        if chosen is None:
            return None
        if chosen.selection.provider != PLAN:
            return _factory(chosen, providers)(chosen.selection)
        return CodexLlm(
            codex if codex is not None else AsyncCodex(settings=chosen.settings),
            model=chosen.selection.model,
            unknown_model=unknown_model,
            log=chosen.log,
        )


def create_default_sync_llm(
    *,
    persona_model: str | None = None,
    persona: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    log: Log | None = None,
    codex: Codex | None = None,
    providers: Mapping[Provider, Callable[[Selection], SyncLlmContext]] | None = None,
    unknown_model: UnknownModel = "error",
) -> SyncLlmContext | None:
    """The same, blocking: takes what `create_default_llm` takes, with a `Codex`, and raises what it raises."""
    with _in_its_words():
        chosen = _choose(persona_model, persona, environ, log, None if codex is None else codex.settings)
        if chosen is None:
            return None
        if chosen.selection.provider != PLAN:
            return _factory(chosen, providers)(chosen.selection)
        return SyncCodexLlm(
            codex if codex is not None else Codex(settings=chosen.settings),
            model=chosen.selection.model,
            unknown_model=unknown_model,
            log=chosen.log,
        )


@dataclass(frozen=True, slots=True)
class _Chosen:
    selection: Selection
    settings: Settings
    log: Log
    has_plan: bool


@contextmanager
def _in_its_words() -> Generator[None]:
    try:
        yield
    except LlmError:
        raise
    except CodexOAuthError as error:
        raise llm_error(error) from error


def _choose(
    persona_model: str | None,
    persona: Mapping[str, Any] | None,
    environ: Mapping[str, str] | None,
    log: Log | None,
    own: Settings | None,
) -> _Chosen | None:
    environ = environment() if environ is None else environ
    log = log if log is not None else log_to_logging
    named = persona if persona_model is None else {"model": persona_model}
    model, harness = _text_in(named, "model"), _text_in(persona, "harness")
    variable, skipped = plan_source(environ) if own is None else (None, ())
    for source in skipped:
        log("debug", "ctx.llm credential source skipped", {"source": source.source, "reason": source.reason})
    without = with_source_alone(environ, "")
    settings = own if own is not None else load_settings(environ=without)
    plan = _name_of(settings, given=own is not None)
    selection = select_credential(environ if own is None else without, model, harness=harness, plan=plan)
    if selection is None:
        return None
    if selection.source in (CREDENTIAL, TOKEN) and own is None:
        settings = load_settings(environ=with_source_alone(environ, selection.source))
    if selection.provider == PLAN:
        _refuse_another_backend(environ, settings)
        if model and selection.model is None:
            log("warn", "ctx.llm persona's model is another provider's; the plan's default answers", {"model": model})
    log(
        "info",
        "ctx.llm configured from sandbox credentials",
        {"provider": selection.provider, "source": selection.source, "model": selection.model or "default"},
    )
    return _Chosen(selection, settings, log, has_plan=(variable or plan) is not None)


def _name_of(settings: Settings, *, given: bool) -> str | None:
    """What has the plan pay, besides the environment's variables; None for nothing."""
    if settings.external is not None:
        return settings.external.name
    if settings.profile is not None:
        return f"codex_oauth profile {settings.profile}"
    if not settings.managed:
        return "CODEX_HOME"
    sign_in = None if given else read_sign_in(settings.home)
    return HOME if given or (sign_in is not None and sign_in.wallet == "chatgpt") else None


def _refuse_another_backend(environ: Mapping[str, str], settings: Settings) -> None:
    # To ignore it would send the token and the words to where nobody wanted them.
    credential = settings.external.credential if settings.external is not None else None
    if (named := other_backend(environ, credential)) is not None:
        raise ConfigurationError(
            f"{named} names another host than ChatGPT's, and this package sends to no other; take it away"
        )


def _factory(chosen: _Chosen, providers: Mapping[Provider, Callable[[Selection], Any]] | None) -> Callable[..., Any]:
    selection = chosen.selection
    if factory := (providers or {}).get(selection.provider):
        return factory
    sign_in = "" if chosen.has_plan else f"run codex-oauth login or set {CREDENTIAL}, and "
    raise LlmError(
        f"{PREFIX}{selection.source} was chosen, and this package makes calls for a ChatGPT plan alone: give "
        f"providers={{{selection.provider!r}: …}} for it; or, to have the plan pay, {sign_in}name a codex model, such "
        "as openai-codex/codex-latest",
        code="other_provider",
        exit_status=3,
    )


def _text_in(persona: Mapping[str, Any] | None, name: str) -> str | None:
    value = (persona or {}).get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"the persona's {name!r} must be text")
    return value
