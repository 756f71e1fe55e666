"""Writes docs/cli.md and docs/errors.md from the code: `--check` says whether they are what the code gives."""

from __future__ import annotations

import difflib
import inspect
import sys
from pathlib import Path

import click

from codex_oauth import errors
from codex_oauth.cli.root import cli

DOCS = Path(__file__).parent.parent / "docs"
HEADER = "<!-- Written by scripts/generate_docs.py; do not edit. -->\n\n"
WIDTH = 100
INTRODUCTION = """\
`code` is a stable word for logs, `exit` what the command line exits with. Where `retryable` says yes, calling again
later may succeed; the package itself retries only what provably never began. `resets_at` is in Unix seconds, `window`
in minutes; both are None where the service did not say.

"""


def cli_reference() -> str:
    """Every command's help, as the command prints it."""
    parts = [HEADER, "# The command line\n\n`codex-oauth` and `python -m codex_oauth` are the same.\n"]

    def add(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(
            command,
            info_name=path,
            parent=parent,
            terminal_width=WIDTH,
            max_content_width=WIDTH,
            help_option_names=["-h", "--help"],
        )
        parts.append(f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                add(found, name, context)

    add(cli, "codex-oauth", None)
    return "".join(parts)


def error_reference() -> str:
    """The tree of exceptions, and a table of what each says about itself."""
    doc = inspect.getdoc(errors) or ""
    tree = "\n".join(line[4:] for line in (errors.__doc__ or "").splitlines() if line.startswith("    "))
    parts = [
        HEADER,
        "# Errors\n\n",
        doc.splitlines()[0] + " Catch `CodexOAuthError` for all of them.\n\n",
        f"```text\n{tree}\n```\n\n",
        INTRODUCTION,
        "| exception | code | exit | retryable | meaning |\n| --- | --- | --- | --- | --- |\n",
    ]
    for name in errors.__all__:
        kind = getattr(errors, name)
        if not inspect.isclass(kind):
            continue
        assert issubclass(kind, errors.CodexOAuthError)
        meaning = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()).replace("|", "\\|")
        retryable = "yes" if kind.retryable else ""
        parts.append(f"| `{name}` | `{kind.code}` | {kind.exit_status} | {retryable} | {meaning} |\n")
    return "".join(parts)


def main() -> int:
    """Write the pages, or compare them."""
    status = 0
    for name, text in (("cli.md", cli_reference()), ("errors.md", error_reference())):
        path = DOCS / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
            continue
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old != text:
            status = 1
            diff = difflib.unified_diff(
                old.splitlines(), text.splitlines(), f"docs/{name}", "generated", lineterm="", n=1
            )
            print("\n".join(list(diff)[:40]))
    if status:
        print("run: python scripts/generate_docs.py", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
