"""How pictures look: colours, axes, and the same bytes for the same numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, ACCENT, SECOND, PALE, GROUND = "#1f2933", "#b4540a", "#1d6f8a", "#9aa5b1", "#f0f2f5"


@contextmanager
def house_style() -> Iterator[None]:
    """What is drawn inside has the house's fonts and lines."""
    with mpl.rc_context({
        "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "axes.edgecolor": INK, "text.color": INK, "axes.labelcolor": INK,
        "legend.frameon": False,
    }):  # fmt: skip
        yield


def axes_of(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of `width` by `height` inches and its one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def panels(columns: int, rows: int) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` by `rows` axes, row by row."""
    figure = Figure(figsize=(3.6 * columns, 2.9 * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(columns * rows)]


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG without a trace of when and by what it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})
