"""The front door: the command line, and `explain_frame` for notebooks.

It asks the clock, reads the settings, finds the room of a command; no logic.
"""

import os
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.cli import FOLDER, CommandContext
from data.errors import ExitCode, UserError
from data.settings import read_settings
from serving.night.record import StepName

if TYPE_CHECKING:
    import pandas as pd

COMMANDS = {
    "sample-data": "data.cli:sample_data",
    "import": "data.cli:import_public",
    "sources": "serving.sources_cli:sources",
    "ingest": "data.cli:ingest",
    "signals": "features.cli:signals",
    "train": "training.cli:train",
    "tune": "training.cli:tune",
    "models": "training.cli:models",
    "monitor": "training.cli:monitor",
    "retrain": "training.cli:retrain",
    "score": "serving.cli:score",
    "allocate": "serving.cli:allocate",
    "lab-orders": "serving.lab_orders.cli:lab_orders_command",
    "results": "serving.lab_orders.cli:results",
    "estimate": "sampling.cli:estimate",
    "select": "sampling.cli:select",
    "trends": "serving.trends.cli:trends",
    "evidence": "serving.evidence.cli:evidence",
    "replay": "training.cli:replay",
    "frame": "training.cli:frame",
    "explain": "serving.cli:explain",
    "verdicts": "serving.cli:verdicts",
    "keys": "serving.auth.cli:keys",
    "trust": "serving.trust.cli:trust",
    "notices": "serving.notices.cli:notices",
    "ledger": "data.cli:ledger",
    "serve": "serving.cli:serve",
    "nightly": "touchstone:nightly",
    "demo": "touchstone:demo",
}


class FrontDoor(click.Group):
    """A group that finds each command in its room, and answers bad input with one message and an `ExitCode`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of this name, loaded from its room; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """The context of a call; what is refused of its own options becomes a message too."""
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except UserError as refusal:
            raise _end(str(refusal), refusal.exit_code) from refusal

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a UserError, or a file that cannot be used, becomes its message, all else a traceback.

        A reader that has enough (`touchstone ... | head`) ends the command without an error.
        """
        try:
            return super().invoke(ctx)
        except UserError as refusal:
            raise _end(str(refusal), refusal.exit_code) from refusal
        except BrokenPipeError:
            _discard_output()
            ctx.exit(ExitCode.DONE)
        except OSError as error:
            if error.strerror is None:
                traceback.print_exc()
                ctx.exit(ExitCode.FAULT)
            place = error.filename or "A file"
            message = f"{place} cannot be used: {error.strerror}. Name another or mend it."
            raise _end(message, ExitCode.REFUSED) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:
            traceback.print_exc()
            ctx.exit(ExitCode.FAULT)


def _discard_output() -> None:
    """Send what is still to be printed nowhere, so that Python does not complain of the closed pipe when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())


def _end(message: str, code: ExitCode) -> click.exceptions.Exit:
    """Print the message; the exception that ends the call with this exit code."""
    click.ClickException(message).show()
    return click.exceptions.Exit(code)


@click.group(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--home", type=FOLDER, help="The workspace folder (default: $TOUCHSTONE_HOME, else ./workspace).")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Which SKUs would fail a laboratory test, why, and which to test next."""
    context.obj = CommandContext(read_settings(home), datetime.now(UTC))


def explain_frame(frame: "pd.DataFrame", home: Path | None = None, version: str | None = None) -> "pd.DataFrame":
    """Explain each row of a frame of features, such as `touchstone frame` writes, by the champion or another model.

    A row is a score row without its rank, with a sentence for each reason (`serving.frame_explanations`). `home` is the
    workspace, found as by the command line. Raises UserError where there is no such model, or where a feature of it is
    missing in the frame.
    """
    from models.registry import load_champion, load_model
    from serving.frame_explanations import explain_frame as explain

    workspace = read_settings(home).workspace
    artifact = load_model(workspace, version) if version else load_champion(workspace)
    return explain(artifact, frame, datetime.now(UTC).date())


@click.command()
@click.option("--skus", default=20_000, show_default=True, help="Size of the sample marketplace.")
@click.option("--budget", default=20_000.0, show_default=True, help="Euros for the first sampling round.")
@click.option("--seed", default=1, show_default=True, help="Of the marketplace and of the draw.")
@click.option("--no-serve", is_flag=True, help="Stop after the summary.")
@click.pass_obj
def demo(call: CommandContext, skus: int, budget: float, seed: int, no_serve: bool) -> None:
    """Run everything on a sample marketplace.

    In WORKSPACE/demo; then serve it on port 3000.
    """
    from data.ingest.pipeline import ingest
    from data.progress import TerminalProgress
    from data.synthetic.generator import write_sample
    from features.review_text.incremental import read_lake
    from serving.cli import catalogue_summary, plan_round, plan_summary, run_service
    from serving.online.store import open_online_store
    from serving.scoring.batch import score_day
    from training.pipeline import TrainingRequest, train
    from training.recipe import read_recipe

    call = replace(call, settings=call.settings.inside("demo"))
    settings = call.settings
    progress, sample = TerminalProgress(), settings.workspace.home / "sample"
    write_sample(sample, skus=skus, days=730, seed=seed, progress=progress)
    ingest(sample, settings.workspace, today=call.today, strict=True, progress=progress)
    request = TrainingRequest(read_recipe("default"), first=True)
    train(read_lake(settings.workspace, progress), settings, request, progress, call.now)
    score_day(settings, None, TerminalProgress())
    plan, folder = plan_round(call, budget, seed)
    click.echo(catalogue_summary(open_online_store(settings.workspace)))
    click.echo(plan_summary(plan.summary))
    click.echo(f"\nEverything is in {settings.workspace.home}; the plan is in {folder}.")
    if not no_serve:
        run_service(replace(settings, insecure=True), "127.0.0.1", 3000)


@click.command()
@click.option("--config", "config", type=FOLDER, help="Default: touchstone.toml in the workspace, if there is one.")
@click.option("--from", "start", type=click.Choice([str(step) for step in StepName]), help="Begin with this step.")
@click.option("--dry-run", "dry", is_flag=True, help="Say what there is to do, and do nothing.")
@click.pass_context
def nightly(context: click.Context, config: Path | None, start: str | None, dry: bool) -> None:
    """Do all that is done once a day, from ingest to retention.

    A night that was killed goes on where it was. Off a terminal each step ends with a line of JSON. The exit code is 1
    where input was refused, 3 where rows are missing, 4 where a person is asked, 5 after a fault.
    """
    from data.progress import TerminalProgress
    from serving.night.configuration import read_configuration
    from serving.night.report import dry_run, night_line, night_summary, step_line
    from serving.night.run import NightRequest, run_night, scores_in_service
    from serving.night.steps import TrainingSteps
    from training.lifecycle.mlflow_tracking import delete_monitoring_runs
    from training.lifecycle.monitoring import monitor

    call: CommandContext = context.obj
    settings, configuration = call.settings, read_configuration(call.settings.workspace, config)
    if dry:
        click.echo("\n".join(dry_run(settings, configuration, call.today)))
        return
    training = TrainingSteps(lambda tables, own, progress: monitor(tables, own, None, progress), delete_monitoring_runs)
    request = NightRequest(settings, configuration, training, call.now, StepName(start) if start else None)
    told = sys.stdout.isatty()
    record = run_night(
        request, TerminalProgress(), lambda night, step: None if told else click.echo(step_line(night, step))
    )
    click.echo((night_summary if told else night_line)(record, scores_in_service(settings)))
    context.exit(record.exit_code or 0)


if __name__ == "__main__":
    main()
