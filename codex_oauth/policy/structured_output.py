"""A reply that fits its schema, or an error: one repair turn lies between the two."""

from __future__ import annotations

from typing import Any, Final

from codex_oauth.errors import OutputValidationError
from codex_oauth.events import RepairStarted
from codex_oauth.policy.runner import Runner
from codex_oauth.records import replace
from codex_oauth.schema import OutputSpec
from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("StructuredOutput", "repair_text")

_REPAIR: Final = """\
Your last message does not fit the required output:
{errors}
Answer the same request again. Give only the corrected JSON value."""


def repair_text(error: OutputValidationError) -> str:
    """What the model is told of a reply that does not fit."""
    return _REPAIR.format(errors="\n".join(f"- {line}" for line in error.errors))


class StructuredOutput:
    """Asks for the schema, checks the reply, and asks once more on the same thread if it does not fit.

    Args:
        inner: The runner.
        output: What is wanted.
    """

    def __init__(self, inner: Runner, output: OutputSpec[Any]) -> None:
        self._inner = inner
        self._output = output

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run until the reply fits; its value is in the result.

        Raises:
            OutputValidationError: It did not fit twice.
        """
        request = replace(request, schema=self._output.wire_schema)
        first = await self._inner.run(request)
        if first.finish != "stop":
            return first  # not an answer yet, or not all of it
        try:
            return replace(first, value=self._output.parse(first.text))
        except OutputValidationError as error:
            request.observer(RepairStarted(error.errors))
            repair = repair_text(error)
        second = await self._inner.run(replace(request, text=repair, images=(), items=(), thread=first.thread))
        if second.finish != "stop":
            return replace(second, usage=first.usage + second.usage, repaired=True)
        return replace(second, value=self._output.parse(second.text), usage=first.usage + second.usage, repaired=True)
