"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Opens one named step; the function it yields is called with the units done since the last call."""

    def step(self, title: str, total: int, unit: str = "steps") -> AbstractContextManager[Advance]:
        """Open a step of `total` units."""
        ...


class SilentProgress:
    """Progress that is not reported."""

    @contextmanager
    def step(self, title: str, total: int, unit: str = "steps") -> Iterator[Advance]:  # noqa: ARG002 - protocol
        """Open a step nobody watches."""
        yield lambda _: None


class TerminalProgress:
    """A bar with rate and time left on a terminal, a plain line at start and end of a step elsewhere."""

    @contextmanager
    def step(self, title: str, total: int, unit: str = "steps") -> Iterator[Advance]:
        """Open a step on standard error."""
        opened = _bar if sys.stderr.isatty() else _lines
        with opened(title, total, unit) as advance:
            yield advance


@contextmanager
def _bar(title: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
        TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=total, rate="")

        def advance(units: int) -> None:
            speed = bars.tasks[0].speed
            bars.update(task, advance=units, rate=f"{speed:,.0f}/s" if speed and speed >= 10 else "")

        yield advance


@contextmanager
def _lines(title: str, total: int, unit: str) -> Iterator[Advance]:
    started = time.monotonic()
    print(f"{title} ({total:,} {unit}) ...", file=sys.stderr, flush=True)
    yield lambda _: None
    print(f"{title}: done in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
