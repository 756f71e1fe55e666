"""`AsyncCodex`: the calls, and the lifetime of what serves them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from codex_oauth.calling import Calling, Image
from codex_oauth.config import Settings, load_settings
from codex_oauth.conversation import MAX_STEPS, TOOL_TIMEOUT, TURN_TIMEOUT, Conversation
from codex_oauth.errors import ConfigurationError, IncompleteReplyError
from codex_oauth.stream import ReplyStream
from codex_oauth.types import JSONValue, Reply

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from codex_oauth.recorder import Recording

__all__ = ("AsyncCodex", "Image")

T = TypeVar("T")


class AsyncCodex(Calling):
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
        record: Keeps what the model is sent and what it answers, a record for each response: a file, True for
            `recorded.jsonl` in the user's state folder, sinks of your own, or False for nothing; by default
            `CODEX_OAUTH_RECORD` or the configuration, and otherwise nothing. See docs/recording.md.
        max_concurrency: Turns at once; by default 64 on a shared app-server (more than 195 requests in flight made it
            refuse), and 8 where each call has its own, at some 150 MB each. Fewer while the app-server refuses, and
            while there is no memory for another one (Linux).
        settings: All of the above but `record` and `max_concurrency`, from `codex_oauth.config.load_settings`.

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
        record: Recording = None,
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
        if isinstance(record, bool | str | os.PathLike):
            from codex_oauth.recorder import recorded_settings

            settings, record = recorded_settings(settings, record), None
        super().__init__(settings, max_concurrency, record)

    def __reduce__(self) -> tuple[Any, ...]:
        # As its configuration: the copy has an app-server of its own, where it lands.
        from codex_oauth.pickled import PickledSettings, landed

        if self._sinks is not None:
            raise ConfigurationError("a client that records into sinks of its own does not travel: record into a file")
        return landed, (type(self), PickledSettings.of(self._settings), self._max_concurrency)

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
        max_output_tokens: int | None = None,
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
        max_output_tokens: int | None = None,
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
        max_output_tokens: int | None = None,
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
        max_output_tokens: int | None = None,
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
            max_output_tokens: Tokens of text after which the turn is ended, with IncompleteReplyError; codex has no
                such limit, so it is counted here: a token for each piece of text, and none for reasoning.

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
        reply = await self._call(label, spec, self._limited(request, max_output_tokens), timeout)
        if reply.finish == "length":
            raise IncompleteReplyError("the reply is longer than max_output_tokens", reason="max_output_tokens")
        return reply

    def conversation(
        self,
        *,
        instructions: str | None = None,
        tools: Sequence[Any] = (),
        history: Sequence[Mapping[str, Any]] = (),
        model: str | None = None,
        effort: str | None = None,
        timeout: float = TURN_TIMEOUT,
        tool_timeout: float = TOOL_TIMEOUT,
        max_steps: int = MAX_STEPS,
        label: str | None = "conversation",
    ) -> Conversation:
        """Several turns that know of each other, with the caller's own tools.

            def read_file(path: str) -> str:
                "A file's text."
                return Path(path).read_text()

            async with codex.conversation(instructions="…", tools=[read_file]) as chat:
                print((await chat.send("What is in notes.txt?")).text)
                print((await chat.send("And what is missing?")).text)

        The calls of one response run at once. Arguments are validated; what is wrong with them, and what a tool raises,
        is told to the model. Leaving a turn early stops its tools, and begins no more; a function that is not async
        runs in a thread, which nobody can stop.

        Args:
            instructions: What the model is told before everything else.
            tools: Functions, async or not, with a type for each parameter; their docstrings are what the model is told.
                Or mappings with `name`, `description`, `parameters` (a JSON Schema) and `handler`, which gets one dict.
                What they return goes to the model as text, or as JSON where it is not text; `ToolOutput` adds images.
            history: What was said before, as items of OpenAI's Responses API; see `Conversation.history`.
            model: As for `complete`; the same for all turns.
            effort: As for `complete`.
            timeout: Seconds for a turn, with everything its tools do.
            tool_timeout: Seconds for one call of a tool; the model is told if it takes longer.
            max_steps: Responses with tool calls in one turn.
            label: What the metrics call the turns; None to keep them out.

        Raises:
            ConfigurationError: An argument is wrong.
        """
        return Conversation(
            self._host(),
            instructions=instructions,
            tools=tools,
            history=history,
            model=model,
            effort=effort,
            timeout=timeout,
            tool_timeout=tool_timeout,
            max_steps=max_steps,
            label=label,
        )

    async def respond(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        instructions: str | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        output: Any = None,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        max_output_tokens: int | None = None,
        label: str | None = "respond",
    ) -> Reply[Any]:
        """One response of the model to a conversation that the caller keeps: nothing is remembered here.

        Where it calls tools, `finish` is `tool_calls`: the next call brings the same items, those of the reply, and a
        `function_call_output` for each call.

        Args:
            items: What was said, oldest first, as OpenAI's Responses API has it: messages (roles user, developer,
                assistant; content as a list of parts, images as data URLs), function calls, their outputs, reasoning.
            instructions: What the model is told before it.
            tools: What it may call: `name`, `description` and `parameters` (a JSON Schema) of each. Nothing is run
                here, and the arguments are as the model wrote them.
            output: As for `complete`; it is not asked of a reply that calls tools.
            model: As for `complete`.
            effort: As for `complete`.
            timeout: As for `complete`.
            max_output_tokens: Tokens of text after which the response is broken off; `finish` is `length` then, and
                `usage` an estimate: a token for each piece of text, and for each four characters of the input. codex
                has no such limit, so it is counted here, without reasoning.
            label: What the metrics call this call; None to keep it out of them.

        Raises what `complete` raises; ConfigurationError names the item that codex would not take.
        """
        spec, request = self._prepare_response(items, instructions, tools, output, model, effort)
        return await self._call(label, spec, self._limited(request, max_output_tokens), timeout)

    def stream_response(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        instructions: str | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        output: Any = None,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
        max_output_tokens: int | None = None,
        label: str | None = "respond",
    ) -> AbstractAsyncContextManager[ReplyStream[Any]]:
        """As `respond`, with its events as they happen; see `stream`."""
        spec, request = self._prepare_response(items, instructions, tools, output, model, effort)
        return self._streamed(spec, self._limited(request, max_output_tokens), timeout, label)

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
