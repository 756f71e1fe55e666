"""A model that looks into a folder with three functions: `python examples/conversation.py notes`."""

import sys
from pathlib import Path

from codex_oauth import Codex, CodexOAuthError, ToolStarted

MOST = 20_000  # characters of a file that the model is shown


class Folder:
    """All that the model can do: find files in one folder, read them, and hand in a summary of each."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.summaries: dict[str, str] = {}

    def glob(self, pattern: str = "**/*") -> list[str]:
        """The files in the folder that match.

        Args:
            pattern: Such as `*.txt`, or `**/*.md` for those of the folders in it, too.
        """
        if ".." in Path(pattern).parts or Path(pattern).is_absolute():
            raise ValueError("a pattern begins in the folder and stays there")
        found = (path for path in self.root.glob(pattern) if path.is_file() and self._is_inside(path))
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def read(self, path: str) -> str:
        """A file's text; the beginning of a long one.

        Args:
            path: As `glob` gives it.
        """
        return self._file(path).read_text(encoding="utf-8", errors="replace")[:MOST]

    def summarise(self, path: str, summary: str) -> str:
        """Hand in the summary of a file that was read.

        Args:
            path: As `glob` gives it.
            summary: One sentence.
        """
        self._file(path)
        self.summaries[path] = summary
        return "kept"

    def _file(self, path: str) -> Path:
        # What is raised is told to the model: no path of this machine's in it.
        file = self.root / path
        if not self._is_inside(file) or not file.is_file():
            raise ValueError(f"{path}: no such file in the folder")
        return file

    def _is_inside(self, path: Path) -> bool:
        # A link may lead anywhere.
        return path.resolve().is_relative_to(self.root)


def main(root: Path) -> None:
    """Have each text file of the folder summarised; print the summaries, and what the model says in the end."""
    folder = Folder(root)
    with (
        Codex() as codex,
        codex.conversation(
            instructions="Find the files, read each of them, hand in a summary of each, then say what they are about.",
            tools=[folder.glob, folder.read, folder.summarise],
        ) as chat,
        chat.stream("Summarise the text files.") as events,
    ):
        for event in events:
            if isinstance(event, ToolStarted):
                print(f"[{event.name}]", file=sys.stderr)
        reply = events.reply()
    for path, summary in sorted(folder.summaries.items()):
        print(f"{path}: {summary}")
    print(reply.text)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    except CodexOAuthError as error:
        sys.exit(f"{error.code}: {error}")
