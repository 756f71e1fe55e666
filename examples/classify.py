"""Judge many shell commands at once, on one app-server."""

import sys

import anyio

from codex_oauth import AsyncCodex, CodexOAuthError, PermissionRequest, classify


async def main() -> None:
    """Print a verdict for each line of stdin; a failure is reported, and is never an allow."""
    async with AsyncCodex() as codex, anyio.create_task_group() as tasks:

        async def judge(command: str) -> None:
            try:
                verdict = await classify(PermissionRequest.from_command(command), codex=codex)
                print(f"{verdict.behavior:5}  {command}")
            except CodexOAuthError as error:
                print(f"error  {command}: {error.code}", file=sys.stderr)

        for line in sys.stdin.read().splitlines():
            tasks.start_soon(judge, line)


if __name__ == "__main__":
    anyio.run(main)
