"""The model card as one HTML page with its pictures inside, to be read, sent and printed."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from training.card import plots, plots_over_time
from training.card.model_card import group_rows
from training.card.plots import plot_style, save
from training.evaluation.drift import Drift
from training.evaluation.evaluate import Evaluation
from training.metrics import sigmoid


def draw_pictures(evaluation: Evaluation, drifts: Sequence[Drift], shift: float, folder: Path) -> None:
    """Write every plot of an evaluation as `folder/<name>.png`, named as in CAPTIONS.

    `drifts` are of today's catalogue against the training labels; above an index of `shift` a feature counts as
    shifted. Plots without data are left out.
    """
    metrics, model = evaluation.metrics, evaluation.predictions["model"]
    failed, budget = evaluation.held_out.failed, evaluation.held_out.budget
    margins = {name: each.margin for name, each in evaluation.predictions.items()}
    p_fail = {"before calibration": sigmoid(model.margin), "after calibration": model.p_fail}
    contributions = (evaluation.contributions, evaluation.matrix, evaluation.feature_names)
    with plot_style():
        figures = {
            "reliability": plots.reliability(p_fail, failed, evaluation.random_weights, evaluation.p_catalogue),
            "gain": plots.gain(margins, failed, budget),
            "lift": plots.lift(margins, failed, budget),
            "beeswarm": plots_over_time.beeswarm(*contributions),
            "dependence": plots_over_time.dependence(*contributions),
            "drift": plots_over_time.drift(drifts, shift, "Today's catalogue against the training labels"),
        }
        if metrics["periods"]:
            figures["periods"] = plots_over_time.periods(metrics["periods"], metrics)
        if not metrics["learning_curve"]["too_few"]:
            figures["learning_curve"] = plots_over_time.learning_curve(metrics["learning_curve"])
        if group_rows(metrics):
            figures["groups"] = plots_over_time.groups(group_rows(metrics))
        for name, figure in figures.items():
            save(figure, folder / f"{name}.png")


STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #d8dde3; padding: .3rem .7rem .3rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; } code { font-size: .9em; background: #f0f2f5; padding: .1em .3em; border-radius: .2em; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #52606d; }
.told { background: #f0f2f5; border-left: 4px solid #b4540a; padding: .6rem 1rem; margin: 1rem 0; }
.alarm { color: #9b1c1c; font-weight: 600; } .calm { color: #1d6f4a; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } }
"""


CAPTIONS = {
    "reliability": "Predicted probabilities against what happened, for the tests as chosen and for the random ones.",
    "gain": "Failures found when tests are made in the order of each ranking.",
    "lift": "How much richer in failures the riskiest tests are than all tests.",
    "periods": "The procedure on earlier periods, and on the test period.",
    "learning_curve": "What more labels teach; dotted: where the curve leads.",
    "groups": "Groups of sellers, on tests weighted to the catalogue.",
    "beeswarm": "What moved each score: one dot per test and feature.",
    "dependence": "How a contribution depends on the value of its feature.",
    "drift": "How the SKUs of today's catalogue differ from the tested ones that the model learned from.",
}


def page_of(title: str, markdown: str, pictures: Mapping[str, Path]) -> str:
    """A whole HTML page: the text (Markdown; raw HTML in it is escaped), then the pictures by caption (PNG)."""
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    figures = "\n".join(_figure(caption, path) for caption, path in pictures.items())
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{text}{figures}\n</main>\n</body>\n</html>\n"
    )


def write_card(card: str, version: str, approval: str, folder: Path) -> None:
    """Write the card (Markdown, its title first) as `folder/card.html`, with the pictures that lie in `folder/plots`.

    `approval` says in a sentence who promoted the model, or that nobody did.
    """
    paths = {caption: folder / "plots" / f"{name}.png" for name, caption in CAPTIONS.items()}
    pictures = {caption: path for caption, path in paths.items() if path.is_file()}
    _, _, rest = card.partition("\n")
    text = f"# Model card of {version}\n\n{approval}\n{rest}"
    (folder / "card.html").write_text(page_of(f"Model card of {version}", text, pictures), encoding="utf-8")


def _figure(caption: str, path: Path) -> str:
    text = escape(caption)
    encoded = b64encode(path.read_bytes()).decode("ascii")
    picture = f'<img alt="{text}" src="data:image/png;base64,{encoded}">'
    return f"<figure>\n{picture}\n<figcaption>{text}</figcaption>\n</figure>"
