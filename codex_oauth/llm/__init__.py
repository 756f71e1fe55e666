"""`ctx.llm` for agent runtimes: one string in, the final text out, and a ChatGPT plan pays.

    llm = create_default_llm(persona_model="openai-codex/codex-latest")
    if llm is not None:
        text = await llm.complete("Return ONLY compact JSON with this shape: …")

The contract is that of AgentWorkforce's `ctx.llm`: its credential variables, their order, and its error texts.
"""

from codex_oauth.llm.catalogue import UnknownModel, resolve_model
from codex_oauth.llm.codex_llm import CodexLlm, Log, SyncCodexLlm, log_to_logging
from codex_oauth.llm.context import (
    DEFAULT_MAX_TOKENS,
    TIMEOUT,
    UNAVAILABLE,
    LlmContext,
    SyncLlmContext,
    UnavailableLlm,
)
from codex_oauth.llm.credentials import SkippedSource
from codex_oauth.llm.default import HOME, create_default_llm, create_default_sync_llm
from codex_oauth.llm.failures import BACKEND_URL, LlmError, llm_error
from codex_oauth.llm.selection import Family, Provider, Selection, model_family, select_credential

__all__ = (
    "BACKEND_URL",
    "DEFAULT_MAX_TOKENS",
    "HOME",
    "TIMEOUT",
    "UNAVAILABLE",
    "CodexLlm",
    "Family",
    "LlmContext",
    "LlmError",
    "Log",
    "Provider",
    "Selection",
    "SkippedSource",
    "SyncCodexLlm",
    "SyncLlmContext",
    "UnavailableLlm",
    "UnknownModel",
    "create_default_llm",
    "create_default_sync_llm",
    "llm_error",
    "log_to_logging",
    "model_family",
    "resolve_model",
    "select_credential",
)
