"""`Codex`: the same calls, blocking. One implementation: these run `AsyncCodex` in an event loop of a thread of their
own."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from anyio.from_thread import BlockingPortal, BlockingPortalProvider, start_blocking_portal

from codex_oauth.account import Login
from codex_oauth.client import AsyncCodex, Image
from codex_oauth.config import Settings
from codex_oauth.stream import ReplyStream
from codex_oauth.sync_calls import SyncConversation, SyncReplyStream, wait
from codex_oauth.types import Account, JSONValue, Limits, Model, Reply

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from codex_oauth.recorder import Recording

__all__ = ("Codex", "SyncLogin")

T = TypeVar("T")


class Codex:
    """Calls to a model that a ChatGPT plan pays for, from code without `await`.

    Everything is as with `AsyncCodex`: used as it is, each call starts an app-server and ends it; inside `with`, one
    serves all calls, from any number of threads.

        with Codex() as codex:
            print(codex.complete("Is 91 prime?").text)
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
        """Takes what `AsyncCodex` takes, and raises what it raises."""
        self._codex = AsyncCodex(
            home=home,
            codex_home=codex_home,
            profile=profile,
            codex_bin=codex_bin,
            metrics=metrics,
            record=record,
            max_concurrency=max_concurrency,
            settings=settings,
        )
        self._entered: tuple[AbstractContextManager[BlockingPortal], AbstractContextManager[AsyncCodex]] | None = None
        self._portal: BlockingPortal | None = None
        # Calls outside `with`, too, share one event loop while there are several, and with it their limit.
        self._portals = BlockingPortalProvider()

    @property
    def settings(self) -> Settings:
        """What it works with."""
        return self._codex.settings

    def __reduce__(self) -> tuple[Any, ...]:
        landed, (_, *configuration) = self._codex.__reduce__()
        return landed, (type(self), *configuration)

    def __enter__(self) -> Self:
        if self._entered is not None:
            raise RuntimeError("this object is in use as a context manager already")
        portals = start_blocking_portal()
        portal = portals.__enter__()
        try:
            codex = portal.wrap_async_context_manager(self._codex)
            codex.__enter__()
        except BaseException:
            portals.__exit__(None, None, None)
            raise
        self._portal, self._entered = portal, (portals, codex)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._entered is None:
            raise RuntimeError("this object is not in use as a context manager")
        portals, codex = self._entered
        self._portal = self._entered = None
        try:
            # Not the caller's exception: in the event loop it would look like one of a task there.
            codex.__exit__(None, None, None)
        finally:
            portals.__exit__(None, None, None)

    @overload
    def complete(
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
    def complete(
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
    def complete(
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
    def complete(self, prompt: str, **arguments: Any) -> Reply[Any]:
        """Ask once; see `AsyncCodex.complete`. Ctrl-C interrupts the turn and ends what the call started."""
        return self._run(partial(self._codex.complete, prompt, **arguments))

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
    ) -> AbstractContextManager[SyncReplyStream[str]]: ...
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
    ) -> AbstractContextManager[SyncReplyStream[T]]: ...
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
    ) -> AbstractContextManager[SyncReplyStream[JSONValue]]: ...
    def stream(self, prompt: str, **arguments: Any) -> AbstractContextManager[SyncReplyStream[Any]]:
        """Ask once, and see what happens as it happens; see `AsyncCodex.stream`."""
        return self._streamed(prompt, arguments)

    @contextmanager
    def _streamed(self, prompt: str, arguments: dict[str, Any]) -> Generator[SyncReplyStream[Any]]:
        streamed = cast("AbstractAsyncContextManager[ReplyStream[Any]]", self._codex.stream(prompt, **arguments))
        with self._open_portal() as portal, portal.wrap_async_context_manager(streamed) as stream:
            yield SyncReplyStream(stream, portal)

    def respond(self, items: Sequence[Mapping[str, Any]], **arguments: Any) -> Reply[Any]:
        """One response of the model to a conversation that the caller keeps; see `AsyncCodex.respond`."""
        return self._run(partial(self._codex.respond, items, **arguments))

    @contextmanager
    def stream_response(self, items: Sequence[Mapping[str, Any]], **arguments: Any) -> Generator[SyncReplyStream[Any]]:
        """As `respond`, with its events; see `AsyncCodex.stream_response`."""
        streamed = self._codex.stream_response(items, **arguments)
        with self._open_portal() as portal, portal.wrap_async_context_manager(streamed) as stream:
            yield SyncReplyStream(stream, portal)

    def conversation(self, **arguments: Any) -> SyncConversation:
        """Several turns that know of each other, with the caller's own tools; see `AsyncCodex.conversation`.

        with codex.conversation(tools=[read_file]) as chat:
            print(chat.send("What is in notes.txt?").text)
        """
        return SyncConversation(self._codex.conversation(**arguments), self._open_portal)

    def models(self) -> tuple[Model, ...]:
        """The models that the app-server lists; see `AsyncCodex.models`."""
        return self._run(self._codex.models)

    def account(self) -> Account:
        """Who would pay for a call; see `AsyncCodex.account`."""
        return self._run(self._codex.account)

    def limits(self) -> Limits:
        """What the plan has left; see `AsyncCodex.limits`."""
        return self._run(self._codex.limits)

    def login_browser(self, *, timeout: float | None = None) -> AbstractContextManager[SyncLogin]:
        """Sign in with a browser on this machine; see `AsyncCodex.login_browser`.

        with codex.login_browser() as login:
            print(login.url)
            account = login.wait()
        """
        return self._login(self._codex.login_browser(timeout=timeout))

    def login_device(self, *, timeout: float | None = None) -> AbstractContextManager[SyncLogin]:
        """Sign in with a code that is typed on any machine; see `AsyncCodex.login_device`."""
        return self._login(self._codex.login_device(timeout=timeout))

    def login_api_key(self, key: str) -> Account:
        """Give an API key to a profile of its own; see `AsyncCodex.login_api_key`."""
        return self._run(partial(self._codex.login_api_key, key))

    def logout(self) -> None:
        """Sign out; see `AsyncCodex.logout`."""
        self._run(self._codex.logout)

    @contextmanager
    def _login(self, opened: AbstractAsyncContextManager[Login]) -> Generator[SyncLogin]:
        with self._open_portal() as portal, portal.wrap_async_context_manager(opened) as login:
            yield SyncLogin(login, portal)

    def _run(self, call: Callable[[], Awaitable[T]]) -> T:
        with self._open_portal() as portal:
            return wait(portal, call)

    @contextmanager
    def _open_portal(self) -> Generator[BlockingPortal]:
        if self._portal is not None:
            yield self._portal
        else:
            with self._portals as portal:
                yield portal


class SyncLogin:
    """What `Codex.login_browser` and `Codex.login_device` give: see `Login`."""

    def __init__(self, login: Login, portal: BlockingPortal) -> None:
        self._login = login
        self._portal = portal

    @property
    def url(self) -> str:
        """The page to open."""
        return self._login.url

    @property
    def user_code(self) -> str | None:
        """The code to type there; None for a browser on this machine."""
        return self._login.user_code

    @property
    def account(self) -> Account | None:
        """Who has signed in; None until `wait` has said so."""
        return self._login.account

    def wait(self) -> Account:
        """Wait until the person has signed in; see `Login.wait`. Ctrl-C gives it up."""
        return wait(self._portal, self._login.wait)

    def cancel(self) -> None:
        """Give it up; see `Login.cancel`."""
        wait(self._portal, self._login.cancel)
