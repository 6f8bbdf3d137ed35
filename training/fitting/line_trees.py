"""A line as trees of one feature each, so that line, boosted trees and their mean are one LightGBM model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import lightgbm as lgb

from training.fitting.line import FeatureSteps, Line

NAN_MISSING, DEFAULT_LEFT = 8, 2
SCALED = ("leaf_value", "internal_value")
END = "end of trees\n"


def line_booster(line: Line, names: Sequence[str]) -> lgb.Booster:
    """Booster with the margin of `line` on features called `names` (f): a tree of one leaf, and a leaf per step."""
    header = {
        "version": "v4", "num_class": "1", "num_tree_per_iteration": "1", "label_index": "0",
        "max_feature_idx": str(len(names) - 1), "objective": "binary sigmoid:1", "feature_names": " ".join(names),
        "feature_infos": " ".join(["none"] * len(names)),
    }  # fmt: skip
    return _booster("tree\n" + _lines(header), _trees(line, 1.0), END)


def mean_booster(booster: lgb.Booster, line: Line) -> lgb.Booster:
    """Booster whose margin is the mean of both margins: half of every leaf of `booster`, then the line's trees."""
    text, _, rest = booster.model_to_string().partition(END)
    header, *trees = text.split("\nTree=")
    kept = [each for each in header.splitlines(keepends=True) if not each.startswith("tree_sizes=")]
    halved = [_halve_leaves(tree.partition("\n")[2]) for tree in trees]
    return _booster("".join(kept), [*halved, *_trees(line, 0.5)], END + rest)


def _booster(header: str, trees: Iterable[str], rest: str) -> lgb.Booster:
    numbered = "".join(f"\nTree={number}\n{tree.strip()}\n\n" for number, tree in enumerate(trees))
    return lgb.Booster(model_str=f"{header}{numbered}\n{rest}")


def _halve_leaves(tree: str) -> str:
    return "".join(
        f"{name}={' '.join(str(float(number) / 2) for number in numbers.split())}\n" if name in SCALED else line
        for line in tree.splitlines(keepends=True)
        for name, _, numbers in [line.partition("=")]
    )


def _trees(line: Line, share: float) -> Iterator[str]:
    """The text of each tree: of the intercept, then of every feature with a coefficient."""
    columns = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child", "leaf_weight",
               "leaf_count", "internal_value", "internal_weight", "internal_count")  # fmt: skip
    intercept = dict.fromkeys(columns, "") | {"leaf_value": str(share * line.intercept), "leaf_count": "0"}
    yield _lines({"num_leaves": "1", "num_cat": "0", **intercept, "is_linear": "0", "shrinkage": "1"})
    for number, (feature, coefficient) in enumerate(zip(line.features, line.coefficients.tolist(), strict=True)):
        if coefficient and len(feature.thresholds):
            yield _tree(number, feature, share * coefficient)


def _tree(number: int, feature: FeatureSteps, coefficient: float) -> str:
    """The text of a balanced tree on one feature: leaf k is `coefficient` times the score of step k."""
    counts = feature.counts.copy()
    counts[feature.median] += feature.missing
    splits = [list(each) for each in zip(*_splits(0, len(counts), 0), strict=True)]
    places, left, right, start, stop = splits
    whole = [int(counts[first:last].sum()) for first, last in zip(start, stop, strict=True)]
    none = [0] * len(places)
    values: Mapping[str, Iterable[float | int]] = {
        "split_feature": [number] * len(places), "split_gain": none, "threshold": feature.thresholds[places].tolist(),
        "decision_type": [NAN_MISSING + DEFAULT_LEFT * (feature.median <= place) for place in places],
        "left_child": left, "right_child": right, "leaf_value": (coefficient * feature.scores).tolist(),
        "leaf_weight": counts.tolist(), "leaf_count": counts.astype(int).tolist(), "internal_value": none,
        "internal_weight": whole, "internal_count": whole,
    }  # fmt: skip
    listed = {name: " ".join(map(str, each)) for name, each in values.items()}
    return _lines({"num_leaves": str(len(counts)), "num_cat": "0", **listed, "is_linear": "0", "shrinkage": "1"})


def _splits(start: int, stop: int, number: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield threshold, left and right child (~leaf), first step and step after the last of each split, the root first.

    `number` is the root's; leaves `start` to `stop` are below it.
    """
    middle = (start + stop) // 2
    left, right = number + 1, number + middle - start
    yield (
        middle - 1, ~start if middle - start == 1 else left, ~middle if stop - middle == 1 else right, start, stop
    )  # fmt: skip
    if middle - start > 1:
        yield from _splits(start, middle, left)
    if stop - middle > 1:
        yield from _splits(middle, stop, right)


def _lines(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in fields.items())
