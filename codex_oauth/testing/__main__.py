"""`python -m codex_oauth.testing`: the stand-in in a terminal, for a codex started in another."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from . import Json, LoopbackChatGPT, Text


def main() -> None:
    """Runs the stand-in until Ctrl-C or SIGTERM; its variables go to stdout in a form that a shell can take."""
    arguments = _parser().parse_args()
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with LoopbackChatGPT(websocket=arguments.websocket) as chatgpt:
        if arguments.reply is not None:
            chatgpt.default = Text(arguments.reply)
        elif arguments.json is not None:
            chatgpt.default = Json(json.loads(arguments.json))
        variables = chatgpt.environment
        if arguments.home is not None:
            chatgpt.sign_in(arguments.home)
            variables["CODEX_HOME"] = str(arguments.home.resolve())
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        # Windows looks at its signals only between two waits.
        while not stopped.wait(0.5):
            pass


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m codex_oauth.testing",
        description="A loopback stand-in for ChatGPT's backend. Prints the variables that lead the codex binary to it, "
        "and serves until Ctrl-C.",
    )
    parser.add_argument("--home", type=Path, metavar="DIR", help="sign this CODEX_HOME in with a made-up account")
    reply = parser.add_mutually_exclusive_group()
    reply.add_argument("--reply", metavar="TEXT", help="answer every model request with this text")
    reply.add_argument("--json", metavar="VALUE", type=_json, help="answer every model request with this JSON value")
    parser.add_argument(
        "--no-websocket", dest="websocket", action="store_false", help="answer model requests over POST only"
    )
    return parser


def _json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    return text


if __name__ == "__main__":
    main()
