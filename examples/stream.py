"""Text as it comes, from asynchronous code."""

import sys

import anyio

from codex_oauth import AsyncCodex, CodexOAuthError, TextDelta


async def main() -> None:
    """Print the pieces, then what the call took."""
    async with AsyncCodex() as codex, codex.stream("Tell me a very short story.") as events:
        async for event in events:
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True)
        reply = await events.reply()
    print(f"\nfirst text after {reply.timing.first_text:.0f} ms, done after {reply.timing.total:.0f} ms")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except CodexOAuthError as error:
        sys.exit(f"{error.code}: {error}")
