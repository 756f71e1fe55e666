"""A batch made ready: the whole input looked at, the output opened, and what is done already taken in."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from codex_oauth.batch.index import Index, open_index
from codex_oauth.batch.items import Defaults, Item, lines_of, parse
from codex_oauth.batch.results import Recorded, ResultsFile, open_results
from codex_oauth.batch.tally import Tally
from codex_oauth.errors import ConfigurationError
from codex_oauth.schema import output_spec

__all__ = ("Batch", "open_batch")

_MOST_SAID: Final = 20
_MOST_NAMED: Final = 5
# Lines of one message, and numbers of one.


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An input and its output, which is locked. Made by `open_batch`.

    Attributes:
        input: The file of the questions.
        results: The file of the answers.
        tally: How far it is.
    """

    input: Path
    results: ResultsFile
    tally: Tally
    _index: Index
    _defaults: Defaults
    _retry_failed: bool

    def items(self) -> Iterator[Item]:
        """What is to be asked, in the input's order, read as it is needed.

        Raises:
            ConfigurationError: The input has changed since it was looked at.
        """
        lines = lines_of(self.input)
        for number, digest in self._index.left(failed_too=self._retry_failed):
            line = next((line for here, line in lines if here == number), None)
            try:
                item = parse(line, number, self._defaults, None)
            except ConfigurationError as error:
                raise self._changed(number) from error
            if item.digest != digest:
                raise self._changed(number)
            yield item

    def _changed(self, number: int) -> ConfigurationError:
        return ConfigurationError(f"{self.input}: line {number} was changed while the batch ran")


@contextmanager
def open_batch(
    questions: Path, answers: Path, *, defaults: Defaults | None = None, retry_failed: bool = False
) -> Generator[Batch]:
    """Look at the whole input, then open the output and take in what is there. Nothing is asked yet.

    Args:
        questions: A file with an item in each line.
        answers: The file that results are added to, made if need be. An item with an answer there is not asked again.
        defaults: What holds for the items that do not say it themselves.
        retry_failed: Whether items that have failed are asked again.

    Raises:
        ConfigurationError: Lines of the input are wrong (all of them are named), two have one id, the output is another
            input's, is in use, or is no output of a batch.
    """
    defaults = defaults or Defaults()
    output_spec(defaults.schema)
    with open_index() as index:
        _look_at(questions, index, defaults)
        with open_results(answers) as results:
            if results.is_same_as(questions):
                raise ConfigurationError(f"{answers} is the input: name another output")
            _take_in(results, index, questions, answers, retry_failed=retry_failed)
            tally = Tally(total=index.total(), answered=index.answered())
            if not retry_failed:
                tally.failures.update(index.failures())
            yield Batch(
                input=questions,
                results=results,
                tally=tally,
                _index=index,
                _defaults=defaults,
                _retry_failed=retry_failed,
            )


def _look_at(questions: Path, index: Index, defaults: Defaults) -> None:
    wrong: list[str] = []
    count = 0
    for number, line in lines_of(questions):
        try:
            item = parse(line, number, defaults, questions.parent)
            earlier = index.add(item)
            if earlier is None:
                continue
            problem = f"the same id as line {earlier}"
        except ConfigurationError as error:
            problem = error.message
        count += 1
        if count <= _MOST_SAID:
            wrong.append(f"  line {number}: {problem}")
    if count:
        more = [f"  and {count - _MOST_SAID:,} more"] if count > _MOST_SAID else []
        lines = "1 line is" if count == 1 else f"{count:,} lines are"
        raise ConfigurationError("\n".join([f"{questions}: {lines} wrong; nothing was asked", *wrong, *more]))


def _take_in(results: ResultsFile, index: Index, questions: Path, answers: Path, *, retry_failed: bool) -> None:
    changed: dict[str, Recorded] = {}
    for recorded in results.read():
        match index.match(recorded.key, recorded.digest):
            case "same":
                index.mark(recorded.key, recorded.failure)
                changed.pop(recorded.key, None)  # a failed item that was changed, and asked anew
            case "changed":
                changed[recorded.key] = recorded
            case "unknown" if recorded.failure is None:
                raise ConfigurationError(
                    f"{answers} has an answer (for line {recorded.line}) to what {questions} does not ask: it is "
                    "another input's, or the item was taken out. Name another output"
                )
            case _:
                pass  # a failed item may be taken out of the input
    # What failed is asked anew as it is now.
    wrong = [one for one in changed.values() if one.failure is None or not retry_failed]
    if wrong:
        # Results are in the order in which they were done.
        which = ", ".join(str(line) for line in sorted(one.line for one in wrong)[:_MOST_NAMED])
        more = ", …" if len(wrong) > _MOST_NAMED else ""
        lines = "line" if len(wrong) == 1 else "lines"
        way = "--retry-failed asks what has failed as it is now" if all(one.failure for one in wrong) else "undo that"
        raise ConfigurationError(
            f"{questions} is not what {answers} has results for ({lines} {which}{more}): the item, or one of "
            f"--instructions, --schema, --model and --effort, is another one now; {way}, or name another output"
        )
