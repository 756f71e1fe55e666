"""A real Chromium in front of the stand-in, driven over the DevTools protocol by as little code as the tests need."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from codex_oauth.testing import LoopbackChatGPT
from codex_oauth.testing.certificates import certificates

WAIT = 30.0
"""Seconds for the slowest thing a browser does in these tests: starting on a busy machine."""

NAMES = ("chromium", "chromium-browser", "google-chrome")

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Otherwise a click is dropped that comes before a page is painted for the first time.
    "--allow-pre-commit-input",
    # The host's key ring may ask its person for a password.
    "--password-store=basic",
    # What a browser asks of its makers would be counted among the hosts that the stand-in has refused.
    "--disable-features=AutofillServerCommunication,NetworkTimeServiceQuerying,OptimizationHints",
    "--component-updater=url-source=http://127.0.0.1:9/",
    "--remote-debugging-port=0",
    # In place of the start page.
    "about:blank",
)


@pytest.fixture
def chromium(chatgpt: LoopbackChatGPT) -> Iterator[Chromium]:
    """A browser with a new profile, for which the stand-in is the whole internet."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    with Chromium(binary, chatgpt) as browser:
        yield browser


class Chromium:
    """One browser process with one page."""

    def __init__(self, binary: str, chatgpt: LoopbackChatGPT) -> None:
        self._command = [
            binary,
            # Chromium never sends what is for this machine to a proxy, so that a sign-in finds its way back.
            f"--proxy-server={chatgpt.proxy_url}",
            f"--ignore-certificate-errors-spki-list={_server_key()}",
            # Its sandbox does not work for root.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *FLAGS,
        ]
        self._open = ExitStack()
        self._session: str | None = None
        self._ids = iter(range(1, 1_000_000))
        self._events = deque[dict[str, Any]]()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            # Files of a browser that had to be killed may still appear in it.
            folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
            address = urlsplit(_start(self._command, starting.enter_context(folder), starting))
            # Through a socket of its own: a proxy of the environment is not for this connection.
            plain = starting.enter_context(socket.create_connection((address.hostname, address.port or 0), WAIT))
            self._devtools = starting.enter_context(connect(address.geturl(), sock=plain, max_size=None))
            starting.callback(self._ask_to_close)
            page = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            self._call("Page.enable")
            self._open = starting.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def open(self, url: str) -> None:
        """Goes to an address and waits until its page has loaded.

        Raises:
            ConnectionError: There is no page to be had.
        """
        self._events.clear()
        answer = self._call("Page.navigate", url=url)
        if "errorText" in answer:
            raise ConnectionError(answer["errorText"])
        self._wait_for_load(answer["loaderId"])

    def wait_for_load(self) -> None:
        """Waits until the page that the last click leads to has loaded.

        Raises:
            ConnectionError: There is no page to be had.
        """
        self._wait_for_load(None)

    def url(self) -> str:
        """The address of the page."""
        return self._evaluate("location.href")

    def text(self) -> str:
        """What the page shows."""
        return self._evaluate("document.body.innerText")

    def fill(self, selector: str, value: str) -> None:
        """Types into a text field, in place of what is in it."""
        self._evaluate(f"{_find(selector)}.select()")
        self._call("Input.insertText", text=value)

    def click(self, selector: str) -> None:
        """Presses the mouse on the middle of an element."""
        element = _find(selector)
        self._evaluate(f"{element}.scrollIntoView()")
        box = self._evaluate(f"{element}.getBoundingClientRect().toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left", "clickCount": 1}
        self._events.clear()
        self._call("Input.dispatchMouseEvent", type="mousePressed", **place)
        self._call("Input.dispatchMouseEvent", type="mouseReleased", **place)

    def _wait_for_load(self, loader: str | None) -> None:
        deadline = time.monotonic() + WAIT
        while True:
            frame = self._event("Page.frameNavigated", deadline)["frame"]
            if "parentId" not in frame and loader in (None, frame["loaderId"]):
                break
        self._event("Page.loadEventFired", deadline)
        if "unreachableUrl" in frame:
            raise ConnectionError(f"no page at {urlsplit(str(frame['unreachableUrl'])).netloc}")

    def _evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def _call(self, method: str, **params: object) -> Any:
        """The result of a command.

        Raises:
            RuntimeError: It was answered with an error.
        """
        request_id = next(self._ids)
        to = {} if self._session is None else {"sessionId": self._session}
        self._devtools.send(json.dumps({"id": request_id, "method": method, "params": params, **to}))
        deadline = time.monotonic() + WAIT
        while (message := self._receive(deadline)).get("id") != request_id:
            self._events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def _event(self, method: str, deadline: float) -> dict[str, Any]:
        """The parameters of the next event of this name; those before it are dropped."""
        while True:
            message = self._events.popleft() if self._events else self._receive(deadline)
            if message.get("method") == method:
                return message["params"]

    def _receive(self, deadline: float) -> dict[str, Any]:
        return json.loads(self._devtools.recv(timeout=max(0.0, deadline - time.monotonic())))

    def _ask_to_close(self) -> None:
        self._session = None
        # It may be gone, and what is left of it is killed anyway.
        with suppress(OSError, ConnectionClosed, RuntimeError):
            self._call("Browser.close")


def _start(command: list[str], folder: str, starting: ExitStack) -> str:
    """Starts a browser on a profile in this folder; returns its DevTools address. `starting` ends it."""
    keep = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    process = subprocess.Popen(
        [command[0], f"--user-data-dir={folder}/profile", *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**keep, "HOME": folder},
        # A process group of its own, so that all of its processes can be ended.
        start_new_session=True,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    starting.callback(_end, process, reader)
    said: list[str] = []
    deadline = time.monotonic() + WAIT
    with suppress(queue.Empty):
        while (line := lines.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
            said.append(line)
            if line.startswith("DevTools listening on "):
                return line.split()[-1]
    raise RuntimeError(f"{command[0]} does not start: {''.join(said)}")


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            lines.put(line.decode("utf-8", "replace"))
    lines.put(None)


def _end(process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    # All of its processes hold the pipe that is read here.
    reader.join(WAIT)
    # It has not been waited for, so that the number of the group cannot be another's by now.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(WAIT)
    reader.join(WAIT)


def _server_key() -> str:
    """The hash of the stand-in's key: trust in it alone, and not in whatever certificate comes."""
    key = load_pem_x509_certificate(certificates().leaf).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()


def _find(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"
