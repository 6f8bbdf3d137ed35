"""The command that replays ways of choosing tests."""

from typing import Any

import click

from data.cli import Call
from data.progress import TerminalProgress


@click.command()
@click.option("--rounds", default=20, show_default=True, help="Rounds of testing.")
@click.option("--budget", "budget_eur", default=50_000.0, show_default=True, help="Euros a round; a test costs 250.")
@click.option("--scenario", type=click.Choice(["stationary", "drifting"]), default="stationary", show_default=True)
@click.option("--skus", default=20_000, show_default=True, help="Size of the simulated catalogue.")
@click.option("--worlds", default=1, show_default=True, type=click.IntRange(1), help="How many worlds.")
@click.option("--seed", default=1, show_default=True, help="Of the first world; the next has the next.")
@click.option("--strategy", "strategies", multiple=True, help="Compare this one too (default: all). May be repeated.")
@click.option("--history", is_flag=True, help="On the tests in the lake instead; only --strategy and --seed count.")
@click.pass_obj
def replay(call: Call, /, strategies: tuple[str, ...], worlds: int, seed: int, history: bool, **asked: Any) -> None:
    """Replay the plan against other ways of choosing tests, in worlds whose truth is known."""
    from training.replay.compare import Comparison, chosen, compared
    from training.replay.report import headline, write_report

    if history:
        from features.reading import read_lake
        from training.replay.history import hindsight_text, in_hindsight, past_of

        past = past_of(read_lake(call.settings.workspace))
        click.echo(hindsight_text(in_hindsight(past, chosen(strategies), seed)))
        return
    runs = compared(
        Comparison(seeds=tuple(range(seed, seed + worlds)), strategies=chosen(strategies), **asked), TerminalProgress()
    )
    click.echo(headline(runs))
    click.echo(f"The report is {write_report(runs, call.settings.workspace.reports)}.")
