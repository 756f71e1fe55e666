"""What there is to do: the items by number and key, and what became of each. In a temporary database, so that a million
of them take no more memory than a thousand."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from codex_oauth.batch.items import Item
from codex_oauth.errors import ConfigurationError

__all__ = ("Index", "Match", "open_index")

Match = Literal["same", "changed", "unknown"]

_TABLE: Final = """
CREATE TABLE items (line INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, answered INTEGER,
                    failure TEXT)
"""
_ANSWERED: Final = "UPDATE items SET answered = 1, failure = NULL WHERE key = ?"
_FAILED: Final = "UPDATE items SET failure = ? WHERE key = ? AND answered IS NULL"
_LEFT: Final = "SELECT line, digest FROM items WHERE answered IS NULL AND (failure IS NULL OR ?) ORDER BY line"


class Index:
    """The items of an input. Made by `open_index`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, item: Item) -> int | None:
        """Take in an item. The line of an earlier one with the same key, or None if there is none."""
        row = (item.line, item.key, item.digest)
        if self._database.execute("INSERT OR IGNORE INTO items VALUES (?, ?, ?, NULL, NULL)", row).rowcount:
            return None
        return self._database.execute("SELECT line FROM items WHERE key = ?", (item.key,)).fetchone()[0]

    def match(self, key: str, digest: str) -> Match:
        """Whether there is an item with the key, and whether it asks what the digest stands for."""
        found = self._database.execute("SELECT digest FROM items WHERE key = ?", (key,)).fetchone()
        if found is None:
            return "unknown"
        return "same" if found[0] == digest else "changed"

    def mark(self, key: str, failure: str | None) -> None:
        """Note that there is a result: an answer (`failure` None), or a failure's code. An answer stays one."""
        if failure is None:
            self._database.execute(_ANSWERED, (key,))
        else:
            self._database.execute(_FAILED, (failure, key))

    def failures(self) -> Counter[str]:
        """How many items have failed and have no answer, by code."""
        rows = self._database.execute(
            "SELECT failure, count(*) FROM items WHERE answered IS NULL AND failure IS NOT NULL GROUP BY failure"
        )
        return Counter(dict(rows.fetchall()))

    def total(self) -> int:
        """How many items there are."""
        return self._database.execute("SELECT count(*) FROM items").fetchone()[0]

    def answered(self) -> int:
        """How many have an answer."""
        return self._database.execute("SELECT count(*) FROM items WHERE answered IS NOT NULL").fetchone()[0]

    def left(self, *, failed_too: bool) -> Iterator[tuple[int, str]]:
        """Line and digest of each item to ask, in the input's order: those without a result, and the failed ones."""
        return iter(self._database.execute(_LEFT, (failed_too,)))


@contextmanager
def open_index() -> Generator[Index]:
    """An empty index; gone when the block is left.

    Raises:
        ConfigurationError: There is no room for it in the folder for temporary files.
    """
    # No name: SQLite keeps a small one in memory, spills a large one into an unlinked file, and syncs nothing.
    database = sqlite3.connect("", isolation_level=None)
    try:
        database.execute(_TABLE)
        database.execute("BEGIN")
        yield Index(database)
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"the list of what is to do cannot be kept in the folder for temporary files: {error}"
        ) from error
    finally:
        database.close()
