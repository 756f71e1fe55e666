"""Answer a file of questions on a Ray cluster: `python examples/ray_batch.py questions.jsonl answers.jsonl`.

One sign-in must not be shared by machines, so each node uses a token that somebody hands out: `CODEX_OAUTH_TOKEN` with
`CODEX_ACCOUNT_ID` in the environment that its `ray start` has, or a `token_command` in its configuration. (Not in a
`runtime_env`: Ray stores that, and shows it on its dashboard.)

The files are those of `codex-oauth batch`, and like that, the same command goes on where it was stopped.
"""

# pyright: basic, reportMissingImports=false
# Ray is no dependency of this package, and says little about its types.

import contextlib
import sys
from pathlib import Path
from typing import Any

import ray
from ray.util import ActorPool
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from codex_oauth import AccountError, Codex, CodexOAuthError, ConfigurationError, UsageLimitError
from codex_oauth.batch import Item, answer_record, failure_record, open_batch

AT_ONCE = 8  # on each node


class Asker:
    """What runs on a node: one client, open for as long as it lives."""

    def __init__(self, codex: Codex) -> None:
        # The client came here as its configuration: it has read the token of this node, and starts an app-server here.
        if codex.settings.external is None:
            raise RuntimeError(f"{ray.util.get_node_ip_address()}: no token; set CODEX_OAUTH_TOKEN, or a token_command")
        self._open = contextlib.ExitStack()
        self._codex = self._open.enter_context(codex)

    def ask(self, item: Item) -> dict[str, Any]:
        """The result of one item. What every other item would fail with as well is raised."""
        try:
            reply = self._codex.complete(
                item.prompt,
                instructions=item.instructions,
                output=item.schema,
                model=item.model,
                effort=item.effort,
                images=item.images,  # data URLs, or paths that every node has
                label="batch",
            )
        except (AccountError, ConfigurationError, UsageLimitError):
            raise
        except CodexOAuthError as error:
            return failure_record(item, error)
        return answer_record(item, reply)

    def close(self) -> None:
        """End the app-server."""
        self._open.close()


def one_on_each_node(codex: Codex) -> list[Any]:
    """An `Asker` on every node of the cluster."""
    here = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    actor = ray.remote(Asker)
    return [
        actor.options(
            num_cpus=0, max_concurrency=AT_ONCE, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote(codex)
        for node in here
    ]


def main(questions: Path, answers: Path) -> None:
    """Ask what has no answer yet, as many at once as the nodes together allow."""
    ray.init(logging_level="error")
    with open_batch(questions, answers) as batch:
        askers = one_on_each_node(Codex(max_concurrency=AT_ONCE))
        pool = ActorPool([asker for asker in askers for _ in range(AT_ONCE)])
        try:
            for item in batch.items():
                while not pool.has_free():
                    batch.results.add(pool.get_next_unordered())
                pool.submit(lambda asker, item: asker.ask.remote(item), item)
            while pool.has_next():
                batch.results.add(pool.get_next_unordered())
        finally:
            # After a usage limit, say: what is in flight may have been paid for.
            while pool.has_next():
                with contextlib.suppress(CodexOAuthError):
                    batch.results.add(pool.get_next_unordered())
            ray.get([asker.close.remote() for asker in askers])
    with open_batch(questions, answers) as batch:
        print(f"{batch.tally.answered} of {batch.tally.total} answered, {batch.tally.failed} failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
