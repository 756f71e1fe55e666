"""How a call is made, whatever it is called: its arguments checked, its policies around it, and its line written."""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from anyio import AsyncContextManagerMixin
from anyio.lowlevel import RunVar

from codex_oauth.account_calls import AccountCalls
from codex_oauth.config import Settings
from codex_oauth.conversation import Call, ConversationHost
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.events import Event, Observer
from codex_oauth.images import data_url
from codex_oauth.items import MAX_INPUT, checked_items, checked_tools, split_last
from codex_oauth.lease import Kept, Lease
from codex_oauth.policy import Deadline, Places, available_memory
from codex_oauth.records import replace
from codex_oauth.schema import OutputSpec, output_spec
from codex_oauth.server_process import ServerProcess
from codex_oauth.session import TurnRequest
from codex_oauth.stream import ReplyStream, streamed
from codex_oauth.trace import CallTrace
from codex_oauth.types import Reply

if TYPE_CHECKING:
    from codex_oauth.recorder import Recorder, Recording

__all__ = ("Calling", "Image")

Image: TypeAlias = str | os.PathLike[str] | bytes
"""A path, the bytes, or a `data:image/…;base64,` URL."""


class Calling(AccountCalls, AsyncContextManagerMixin):
    """What every call of a client goes through.

    Args:
        settings: What the calls work with.
        max_concurrency: Turns at once; None for 64 on a shared app-server, and 8 where each call has its own.
        record: What keeps the model's responses; None for what the settings say.
    """

    def __init__(self, settings: Settings, max_concurrency: int | None, record: Recording = None) -> None:
        self._recorder: Recorder | None = None
        self._sinks = record
        if record is not None or settings.record is not None or settings.record_tapes is not None:
            from codex_oauth.recorder import recorder_of

            self._recorder = recorder_of(settings, record)
        super().__init__(settings, ServerProcess(settings))
        self._max_concurrency = max_concurrency
        # One for each event loop: what waits belongs to its loop.
        self._limiter: RunVar[Places] = RunVar("limiter")

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        self._limiter.set(Places(self._max_concurrency or 64))
        try:
            async with self._process.shared():
                yield self
        finally:
            if self._recorder is not None:
                await self._recorder.aflush()
            self._limiter.set(self._own_places())

    def _own_places(self) -> Places:
        """For calls that have an app-server each."""
        return Places(self._max_concurrency or 8, memory=available_memory)

    def _streamed(
        self, spec: OutputSpec[Any], request: TurnRequest, timeout: float | None, label: str | None = "stream"
    ) -> AbstractAsyncContextManager[ReplyStream[Any]]:
        return streamed(lambda observer: self._call(label, spec, request, timeout, observer))

    def _host(self) -> ConversationHost:
        return ConversationHost(self._prepare, self._limited, self._opened)

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Call]:
        """Within it, calls share an app-server: the client's own, or where that is not open one of this block's, which
        no other block ends."""
        if self._process.is_shared:
            yield self._call
        else:
            client = Calling(self._settings, self._max_concurrency, record=False)
            client._recorder = self._recorder
            async with client:
                yield client._call

    # --- the parts of a call ------------------------------------------------------------------------------------

    def _prepare(
        self,
        prompt: str,
        instructions: str | None,
        output: Any,
        model: str | None,
        effort: str | None,
        images: Sequence[Image],
    ) -> tuple[OutputSpec[Any], TurnRequest]:
        # Callers without a type checker exist.
        if not isinstance(cast("object", prompt), str) or not prompt.strip():
            raise ConfigurationError("the prompt must be text, and not empty")
        if len(prompt) > MAX_INPUT:
            raise ConfigurationError(f"the prompt has {len(prompt):,} characters; codex takes at most {MAX_INPUT:,}")
        if isinstance(images, str | bytes):
            raise ConfigurationError("images= takes a list, even for one image")
        spec, request = self._request(instructions, output, model, effort, said=(prompt,))
        return spec, replace(request, text=prompt, images=tuple(data_url(image) for image in images))

    def _prepare_response(
        self,
        items: Sequence[Mapping[str, Any]],
        instructions: str | None,
        tools: Sequence[Mapping[str, Any]],
        output: Any,
        model: str | None,
        effort: str | None,
    ) -> tuple[OutputSpec[Any], TurnRequest]:
        checked = checked_items(items)
        before, text, images = split_last(checked)
        if text is not None and len(text) > MAX_INPUT:
            before, text, images = checked, None, ()
        spec, request = self._request(instructions, output, model, effort)
        return spec, replace(request, text=text, images=images, items=before, tools=checked_tools(tools), raw=True)

    def _request(
        self,
        instructions: str | None,
        output: Any,
        model: str | None,
        effort: str | None,
        *,
        said: tuple[str, ...] = (),
    ) -> tuple[OutputSpec[Any], TurnRequest]:
        for name, value in (("instructions", instructions), ("model", model), ("effort", effort)):
            if value is not None and (not isinstance(cast("object", value), str) or not value):
                raise ConfigurationError(f"{name}= must be text, and not empty; leave it out for the default")
        _check_text("prompt", said)
        _check_text("instructions", (instructions or "",))
        spec = cast("OutputSpec[Any]", output_spec(output))
        if lacks := self._process.warnings():
            # stacklevel: the line that made the call, in asynchronous code.
            warnings.warn(f"{self._settings.home} isolates less than a managed home: {'; '.join(lacks)}", stacklevel=4)
        return spec, TurnRequest(
            text=None,
            instructions=instructions,
            model=model or self._settings.model,
            effort=effort or self._settings.effort,
        )

    def _limited(self, request: TurnRequest, most: int | None) -> TurnRequest:
        if most is None:
            return request
        if type(most) is not int or most < 1:
            raise ConfigurationError("max_output_tokens must be a whole number of at least 1")
        return replace(request, most_output=most)

    async def _call(
        self,
        command: str | None,
        spec: OutputSpec[Any],
        request: TurnRequest,
        timeout: float | None,
        observer: Observer | None = None,
        kept: Kept | None = None,
    ) -> Reply[Any]:
        seconds = self._settings.timeout if timeout is None else timeout
        if not isinstance(cast("object", seconds), int | float) or not 0 < seconds <= 86_400:
            raise ConfigurationError("timeout is in seconds, more than 0 and at most 86400")
        trace = CallTrace(command or "", model_requested=request.model)
        recorder = self._recorder
        if recorder is not None:
            request = replace(request, raw=True)

        def observe(event: Event) -> None:
            trace.observe(event)
            if recorder is not None:
                recorder.observe(event, label=command, codex_version=trace.codex_version)
            if observer is not None:
                observer(event)

        limiter = self._limiter.get(None)
        if limiter is None:
            limiter = self._own_places()
            self._limiter.set(limiter)
        lease = Lease(self._process, limiter, trace, spec, kept)
        outcome, error = "cancelled", None
        try:
            result = await Deadline(lease, seconds).run(replace(request, observer=observe))
            outcome = "ok"
        except CodexOAuthError as failure:
            outcome, error = "error", failure.code
            failure.usage = trace.usage
            raise
        except Exception:
            outcome, error = "error", "unexpected"
            raise
        finally:
            trace.write(self._settings.metrics if command else None, outcome=outcome, error=error)
        if recorder is not None and not self._process.is_shared:
            await recorder.aflush()  # whoever makes one call reads what it left
        return Reply(
            output=result.value,
            text=result.text,
            usage=result.usage,
            model=result.model,
            effort=trace.effort,
            account=result.account,
            timing=trace.timing(),
            repaired=result.repaired,
            warm=trace.warm,
            turn_id=result.turn_id,
            codex_version=trace.codex_version,
            began=trace.began,
            finish=result.finish,
            calls=result.calls,
            items=result.items,
            response_id=result.response_id,
        )


def _check_text(name: str, texts: Sequence[str]) -> None:
    for text in texts:
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            raise ConfigurationError(f"the {name} holds half a surrogate pair, which is no text")
