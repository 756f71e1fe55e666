"""`AsyncCodex`: the calls, and the lifetime of what serves them."""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast, overload

import anyio
from anyio import AsyncContextManagerMixin
from anyio.lowlevel import RunVar

from codex_oauth.account_calls import AccountCalls
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.events import Event, Observer
from codex_oauth.images import data_url
from codex_oauth.lease import Lease
from codex_oauth.policy import Deadline, Places, available_memory
from codex_oauth.records import replace
from codex_oauth.schema import OutputSpec, output_spec
from codex_oauth.server_process import ServerProcess
from codex_oauth.session import TurnRequest
from codex_oauth.stream import ReplyStream
from codex_oauth.trace import CallTrace
from codex_oauth.types import JSONValue, Reply

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ("AsyncCodex",)

T = TypeVar("T")

Image: TypeAlias = str | os.PathLike[str] | bytes
"""A path, the bytes, or a `data:image/…;base64,` URL."""

_MAX_INPUT = 1_048_576
# Characters of one input: codex refuses more (-32602 input_too_large), after everything has been started.


class AsyncCodex(AccountCalls, AsyncContextManagerMixin):
    """Calls to a model that a ChatGPT plan pays for.

    Used as it is, each call starts an app-server and ends it. Inside `async with`, one app-server serves all calls,
    started by the first of them:

        async with AsyncCodex() as codex:
            reply = await codex.complete("Is 91 prime?", output={"type": "object", "properties": {…}})

    Calls may be made from many tasks at once. Calls that repeat their instructions, model and effort find a thread that
    was started for them ahead: after the second such call, or two seconds after the first, codex opens the next one's
    connection and sends the instructions, with `generate: false`, which asks the model for nothing. It is let go of
    after 90 seconds.

    It pickles as its configuration, without secrets: the copy opens an app-server of its own, where it lands.

    Args:
        home: Another place for the managed CODEX_HOME; by default `CODEX_OAUTH_HOME` or the user's state folder.
        codex_home: A CODEX_HOME of your own instead, such as `~/.codex`. It is never written by this package, so it
            has only as much isolation as its `config.toml` gives it; a warning says what it lacks.
        codex_bin: The codex binary; by default `CODEX_OAUTH_CODEX_BIN`, the extra `bundled`, or `codex` on PATH.
        profile: The name of another account, signed in with `codex-oauth login --profile NAME`. Only a call that names
            it uses it; a profile may be one with an API key, which is then billed.
        metrics: The metrics file, or False for none; by default `CODEX_OAUTH_METRICS` or the user's state folder.
        max_concurrency: Turns at once; by default 64 on a shared app-server (more than 195 requests in flight made it
            refuse), and 8 where each call has its own, at some 150 MB each. Fewer while the app-server refuses, and
            while there is no memory for another one (Linux).
        settings: All of the above but `max_concurrency`, from `codex_oauth.config.load_settings`.

    Raises:
        ConfigurationError: The arguments contradict each other, or the configuration file is wrong.
    """

    def __init__(
        self,
        *,
        home: str | os.PathLike[str] | None = None,
        codex_home: str | os.PathLike[str] | None = None,
        profile: str | None = None,
        codex_bin: str | os.PathLike[str] | None = None,
        metrics: str | os.PathLike[str] | bool | None = None,
        max_concurrency: int | None = None,
        settings: Settings | None = None,
    ) -> None:
        if max_concurrency is not None and (type(max_concurrency) is not int or max_concurrency < 1):
            raise ConfigurationError("max_concurrency must be a whole number of at least 1")
        if settings is not None and any(one is not None for one in (home, codex_home, profile, codex_bin, metrics)):
            raise ConfigurationError(
                "settings= stands for home=, codex_home=, profile=, codex_bin= and metrics=: give one or the other"
            )
        settings = settings or load_settings(
            home=home, codex_home=codex_home, profile=profile, codex_bin=codex_bin, metrics=metrics
        )
        super().__init__(settings, ServerProcess(settings))
        self._max_concurrency = max_concurrency
        # One for each event loop: what waits belongs to its loop.
        self._limiter: RunVar[Places] = RunVar("limiter")

    def __reduce__(self) -> tuple[Any, ...]:
        # As its configuration: the copy has an app-server of its own, where it lands.
        from codex_oauth.pickled import PickledSettings, landed

        return landed, (type(self), PickledSettings.of(self._settings), self._max_concurrency)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        self._limiter.set(Places(self._max_concurrency or 64))
        try:
            async with self._process.shared():
                yield self
        finally:
            self._limiter.set(self._own_places())

    def _own_places(self) -> Places:
        """For calls that have an app-server each."""
        return Places(self._max_concurrency or 8, memory=available_memory)

    # --- calls --------------------------------------------------------------------------------------------------

    @overload
    async def complete(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: None = None,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
        label: str | None = "complete",
    ) -> Reply[str]: ...
    @overload
    async def complete(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: type[T] | TypeAdapter[T],
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
        label: str | None = "complete",
    ) -> Reply[T]: ...
    @overload
    async def complete(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: Mapping[str, Any],
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
        label: str | None = "complete",
    ) -> Reply[JSONValue]: ...
    async def complete(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: Any = None,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
        label: str | None = "complete",
    ) -> Reply[Any]:
        """Ask once.

        Args:
            prompt: The input; at most 1,048,576 characters.
            instructions: What the model is told before it. Nothing else is added: no prompt of codex's own, no tools.
            output: What the reply shall be: a pydantic model, a dataclass, a `TypedDict` or any other type pydantic
                knows, a `TypeAdapter`, or a JSON Schema as a dict; None for text.
            model: A model's id; None for the first visible one of the small tier, else the account's default.
            effort: A reasoning effort that the model lists; None for its lowest.
            timeout: Seconds for everything together; None for 30, or what the configuration says.
            images: PNG, JPEG, GIF or WebP, each at most 20 MiB.
            label: What the metrics call this call; None to keep it out of them, for a caller that writes its own entry.

        Raises:
            ConfigurationError: An argument is wrong; nothing was started.
            AccountError: No plan would pay; nothing was sent to a model.
            UsageLimitError: The plan does not pay for this now.
            TurnError: The turn failed in another way.
            OutputValidationError: The reply did not fit `output`, twice.
            DeadlineExceededError: The time was up.
            ProcessError: There is no codex binary, or it does not work.
        """
        spec, request = self._prepare(prompt, instructions, output, model, effort, images)
        return await self._call(label, spec, request, timeout)

    @overload
    def stream(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: None = None,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
    ) -> AbstractAsyncContextManager[ReplyStream[str]]: ...
    @overload
    def stream(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: type[T] | TypeAdapter[T],
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
    ) -> AbstractAsyncContextManager[ReplyStream[T]]: ...
    @overload
    def stream(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: Mapping[str, Any],
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
    ) -> AbstractAsyncContextManager[ReplyStream[JSONValue]]: ...
    def stream(
        self,
        prompt: str,
        *,
        instructions: str | None = None,
        output: Any = None,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        images: Sequence[Image] = (),
    ) -> AbstractAsyncContextManager[ReplyStream[Any]]:
        """Ask once, and see what happens as it happens.

        Takes what `complete` takes. The stream yields events; `await stream.reply()` gives the `Reply` of the whole.
        Both raise what `complete` raises. Leaving the block early interrupts the turn.

            async with codex.stream("Tell me a story") as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        print(event.text, end="")
        """
        spec, request = self._prepare(prompt, instructions, output, model, effort, images)
        return self._streamed(spec, request, timeout)

    @asynccontextmanager
    async def _streamed(
        self, spec: OutputSpec[Any], request: TurnRequest, timeout: float | None
    ) -> AsyncGenerator[ReplyStream[Any]]:
        stream: ReplyStream[Any] = ReplyStream()

        async def feed() -> None:
            try:
                stream.succeed(await self._call("stream", spec, request, timeout, stream.put))
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever reads the stream gets it
                stream.fail(error)
            finally:
                stream.leave()

        failure: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(feed)
                yield stream
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # `feed` keeps its errors to the stream: the one in the group is the caller's own. It is raised outside, so
            # that its cause and context stay what they were.
            failure = group.exceptions[0]
        if failure is not None:
            raise failure

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
        for name, value in (("instructions", instructions), ("model", model), ("effort", effort)):
            if value is not None and (not isinstance(cast("object", value), str) or not value):
                raise ConfigurationError(f"{name}= must be text, and not empty; leave it out for the default")
        if len(prompt) > _MAX_INPUT:
            raise ConfigurationError(f"the prompt has {len(prompt):,} characters; codex takes at most {_MAX_INPUT:,}")
        for name, text in (("prompt", prompt), ("instructions", instructions or "")):
            if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
                raise ConfigurationError(f"the {name} holds half a surrogate pair, which is no text")
        if isinstance(images, str | bytes):
            raise ConfigurationError("images= takes a list, even for one image")
        spec = cast("OutputSpec[Any]", output_spec(output))
        if lacks := self._process.warnings():
            # stacklevel: the line that made the call, in asynchronous code.
            warnings.warn(f"{self._settings.home} isolates less than a managed home: {'; '.join(lacks)}", stacklevel=3)
        return spec, TurnRequest(
            text=prompt,
            images=tuple(data_url(image) for image in images),
            instructions=instructions,
            model=model or self._settings.model,
            effort=effort or self._settings.effort,
        )

    async def _call(
        self,
        command: str | None,
        spec: OutputSpec[Any],
        request: TurnRequest,
        timeout: float | None,
        observer: Observer | None = None,
    ) -> Reply[Any]:
        seconds = self._settings.timeout if timeout is None else timeout
        if not isinstance(cast("object", seconds), int | float) or not 0 < seconds <= 86_400:
            raise ConfigurationError("timeout is in seconds, more than 0 and at most 86400")
        trace = CallTrace(command or "", model_requested=request.model)

        def observe(event: Event) -> None:
            trace.observe(event)
            if observer is not None:
                observer(event)

        limiter = self._limiter.get(None)
        if limiter is None:
            limiter = self._own_places()
            self._limiter.set(limiter)
        lease = Lease(self._process, limiter, trace, spec)
        outcome, error = "cancelled", None
        try:
            result = await Deadline(lease, seconds).run(replace(request, observer=observe))
            outcome = "ok"
        except CodexOAuthError as failure:
            outcome, error = "error", failure.code
            raise
        except Exception:
            outcome, error = "error", "unexpected"
            raise
        finally:
            trace.write(self._settings.metrics if command else None, outcome=outcome, error=error)
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
        )
