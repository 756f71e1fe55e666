"""`codex-oauth gate eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from codex_oauth.cli.gate.running import agree, on_terminal, progress, run_to_its_end, running_options
from codex_oauth.cli.options import Where, open_codex
from codex_oauth.cli.output import to_json

if TYPE_CHECKING:
    from codex_oauth.gate.evaluation.labelled import LabelledRequest
    from codex_oauth.gate.evaluation.run import Outcome

__all__ = ("command",)


@click.command("eval")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--tag", "tags", multiple=True, help="Only requests with this tag; may be repeated.")
@click.option("--host", type=click.Choice(["claude", "codex"]), help="Only requests of this host.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RESULTS",
    help="Add each result to this file, and do not judge again what it holds.",
)
@click.option(
    "--max-false-allows",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Exit with 0 up to this many false allows.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a run without --limit.")
@running_options
def command(
    file: Path | None,
    tags: tuple[str, ...],
    host: str | None,
    out: Path | None,
    max_false_allows: int,
    yes: bool,
    policy: Path | None,
    limit: int | None,
    concurrency: int,
    as_json: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Judge labelled requests, and count what went wrong: false allows first.

    FILE holds a request and the verdict that it should get in each line. Without it, the requests that come with this
    package are judged, by the built-in rules alone unless --policy names a file: their labels are for those rules. A
    FILE of your own is judged by the built-in rules and your gate.toml.

    Each request is a call that the plan pays for: on a terminal, a run without --limit says first how many that are,
    and asks. With --limit, the requests are taken at even distances over the file. Nothing goes into the metrics.

    Exits with 1 if there are more false allows than --max-false-allows, or not one verdict. A usage limit, a missing
    sign-in and Ctrl-C stop the run with their own status; what there is by then is printed.

    \b
    Examples:
      codex-oauth gate eval --limit 60
      codex-oauth gate eval --out results.jsonl --policy gate.toml --json
      codex-oauth gate eval my-requests.jsonl --tag deploy
    """
    from codex_oauth.gate.evaluation.estimate import estimate
    from codex_oauth.gate.evaluation.labelled import read_labelled, selected
    from codex_oauth.gate.evaluation.policy_of import built_in_policy, policies
    from codex_oauth.gate.evaluation.run import ResultsFile, evaluate, known_outcomes
    from codex_oauth.gate.evaluation.scores import Judged, Scores

    requests = selected(read_labelled(file), tags=tags, host=host, limit=limit)
    codex = open_codex(where)
    built_in = file is None and policy is None
    policy_of = built_in_policy if built_in else policies(codex.settings, file=policy)
    for labelled in requests:
        policy_of(labelled.request)  # a policy that is wrong says so before anything is judged
    results = ResultsFile(out) if out else None
    if limit is None and not yes and on_terminal():
        known = known_outcomes(requests, policy_of=policy_of, results=results, model=model, effort=effort)
        agree(estimate([labelled for labelled in requests if labelled.id not in known], policy_of))
    judged: dict[str, Judged] = {}

    with progress("judging", len(requests)) as advance:

        def done(labelled: LabelledRequest, outcome: Outcome) -> None:
            judged[labelled.id] = Judged(labelled, outcome)
            false_allows = sum(one.mistake == "false_allow" for one in judged.values())
            advance(f"{false_allows} false allows" if false_allows != 1 else "1 false allow")

        async def run() -> None:
            async with codex:
                await evaluate(
                    requests,
                    policy_of=policy_of,
                    codex=codex,
                    done=done,
                    concurrency=concurrency,
                    results=results,
                    model=model,
                    effort=effort,
                    timeout=timeout,
                )

        ending = run_to_its_end(run)
    scores = Scores([judged[labelled.id] for labelled in requests if labelled.id in judged], len(requests))
    if as_json:
        to_json(scores.to_json())
    elif judged or not ending.early:
        from codex_oauth.cli.gate.scoreboard import show

        show(scores, labelled_for_other_rules=file is None and not built_in)
    ending.tell()
    if len(scores.mistakes("false_allow")) > max_false_allows or not scores.with_verdict:
        raise click.exceptions.Exit(1)
