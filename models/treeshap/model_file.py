"""The text of a LightGBM model file as flat arrays of splits and leaves, or a sentence why this engine refuses it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_MISSING, ZERO_MISSING, NAN_MISSING, CATEGORY = range(4)
VERSIONS = ("v3", "v4")
CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2  # the bits of LightGBM's decision_type
BITS_PER_WORD = 32
NO_TREE = {
    "num_leaves": "1", "num_cat": "0", "leaf_value": "0", "leaf_count": "0", "split_feature": "", "threshold": "",
    "decision_type": "", "left_child": "", "right_child": "", "internal_count": "",
}  # fmt: skip
"""What a model without trees answers: a tree of one leaf, 0."""


class UnsupportedModel(ValueError):  # noqa: N818 - it says what the model is, and is caught as a ValueError
    """A model that the engine cannot explain exactly: what is wrong, what was given, what to do."""


class Splits(NamedTuple):
    """One entry per split: rows that pass go to the left child.

    `kinds` is LightGBM's missing type of a numerical split, or CATEGORY. `thresholds` belong to numerical splits (left
    when value <= threshold). Children are splits of the forest or, as ~leaf, its leaves.
    """

    features: Ints
    kinds: Ints
    default_left: NDArray[np.bool_]
    thresholds: Floats
    left: Ints
    right: Ints


class Categories(NamedTuple):
    """The categories that go to the left child, one entry per categorical split and category."""

    splits: Ints
    values: Ints


class Forest(NamedTuple):
    """All trees of a single-output booster: tree t owns `split_start[t]` to `split_start[t + 1]`, and leaves alike.

    Covers count the training rows that arrived. The raw margin of a row is the sum of its leaves, also where the
    booster averages (random forest): LightGBM divides in `predict`, and neither in its raw score nor in its
    contributions.
    """

    split_start: Ints
    leaf_start: Ints
    splits: Splits
    split_covers: Floats
    leaf_covers: Floats
    leaf_values: Floats
    categories: Categories
    feature_names: tuple[str, ...]


def read_model(text: str) -> Forest:
    """Read `booster.model_to_string()`, or what `booster.save_model` wrote, of a model with one output per row.

    Raises:
        UnsupportedModel: as `read_outputs`, or several outputs per row.

    """
    forests = read_outputs(text)
    if len(forests) != 1:
        raise UnsupportedModel(
            f"An engine explains one output: this model grows {len(forests)} trees per iteration. "
            "Explain it with Explainer(model), or train one binary or regression model per class."
        )
    return forests[0]


def read_outputs(text: str) -> tuple[Forest, ...]:
    """The forest of every output per row, as a multiclass booster has one for each class.

    Raises:
        UnsupportedModel: linear trees, values that are not finite, or no such text.

    """
    header, trees = _blocks(text)
    linear = [number for number, tree in enumerate(trees) if tree.get("is_linear", "0") != "0"]
    if linear:
        raise UnsupportedModel(
            f"Linear trees have no exact path-dependent contributions here: tree {linear[0]} has linear leaves. "
            "Train with linear_tree=false."
        )
    try:
        outputs, names = int(header["num_tree_per_iteration"]), tuple(header["feature_names"].split(" "))
        forests = tuple(_forest(trees[output::outputs] or [NO_TREE], names) for output in range(outputs))
        for forest in forests:
            _check(forest)
    except (KeyError, ValueError, IndexError) as error:
        raise UnsupportedModel(f"This LightGBM model file is damaged: {error}. Save the model again.") from error
    return forests


def _blocks(text: str) -> tuple[Mapping[str, str], list[dict[str, str]]]:
    """The fields before the first tree, and those of every tree."""
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    header = _fields(head)
    if header.get("version") not in VERSIONS or not {"num_tree_per_iteration", "feature_names"} <= header.keys():
        raise UnsupportedModel(
            f"This is not the text of a LightGBM model file of version {' or '.join(VERSIONS)}. "
            "Pass what booster.model_to_string() returns."
        )
    return header, [_fields(block) for block in blocks]


def _fields(block: str) -> dict[str, str]:
    return {name: value for name, separator, value in (line.partition("=") for line in block.splitlines()) if separator}


def _forest(trees: list[dict[str, str]], feature_names: tuple[str, ...]) -> Forest:
    leaves = np.array([int(tree["num_leaves"]) for tree in trees], dtype=np.int64)
    split_start, leaf_start = (np.concatenate([[0], np.cumsum(counts)]) for counts in (leaves - 1, leaves))
    tree_of_split = np.repeat(np.arange(len(trees)), leaves - 1)

    def of_splits(name: str, dtype: type = np.int64) -> NDArray[Any]:
        return _numbers(trees, name, len(tree_of_split), dtype)

    def child(name: str) -> Ints:
        rows, counts = of_splits(name), leaves[tree_of_split]
        if np.any((rows >= counts - 1) | (rows < -counts)):
            raise ValueError(f"{name} has a number beyond the tree")
        return rows + np.where(rows >= 0, split_start[tree_of_split], -leaf_start[tree_of_split])

    decisions, thresholds = of_splits("decision_type"), of_splits("threshold", np.float64)
    kinds = np.where(decisions & CATEGORICAL, CATEGORY, decisions >> MISSING_SHIFT)
    if np.any((decisions >> MISSING_SHIFT) > NAN_MISSING):
        raise ValueError("a split has a missing type beside None, Zero and NaN")
    splits = Splits(
        features=of_splits("split_feature"),
        kinds=kinds,
        default_left=(decisions & DEFAULT_LEFT) != 0,
        thresholds=thresholds,
        left=child("left_child"),
        right=child("right_child"),
    )
    return Forest(
        split_start=split_start,
        leaf_start=leaf_start,
        splits=splits,
        split_covers=of_splits("internal_count", np.float64),
        leaf_covers=_numbers(trees, "leaf_count", int(leaves.sum()), np.float64),
        leaf_values=_numbers(trees, "leaf_value", int(leaves.sum()), np.float64),
        categories=_categories(trees, splits, tree_of_split),
        feature_names=feature_names,
    )


def _numbers(trees: list[dict[str, str]], name: str, count: int, dtype: type) -> NDArray[Any]:
    """The field `name` of all trees, one after another."""
    numbers: NDArray[Any] = np.fromstring(" ".join(tree[name] for tree in trees if tree[name]), dtype=dtype, sep=" ")
    if len(numbers) != count:
        raise ValueError(f"{name} has {len(numbers)} numbers where {count} belong")
    return numbers


def _categories(trees: list[dict[str, str]], splits: Splits, tree_of_split: Ints) -> Categories:
    """Unpack the bit sets of all trees; a categorical split's threshold is the number of its set in its tree."""
    counts = [int(tree["num_cat"]) for tree in trees]
    starts, words = [np.zeros(1, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for tree, count in zip(trees, counts, strict=True):
        if count:
            boundaries = _numbers([tree], "cat_boundaries", count + 1, np.int64)
            words.append(_numbers([tree], "cat_threshold", int(boundaries[-1]), np.int64))
            starts.append(starts[-1][-1] + boundaries[1:])
    start = np.concatenate(starts)
    categorical = np.flatnonzero(splits.kinds == CATEGORY)
    sets = splits.thresholds[categorical].astype(np.int64) + (np.cumsum(counts) - counts)[tree_of_split[categorical]]
    if not np.array_equal(np.sort(sets), np.arange(len(start) - 1)):
        raise ValueError("its categorical splits and their sets of categories do not match")
    bits = np.flatnonzero(np.unpackbits(np.concatenate(words).astype("<u4").view(np.uint8), bitorder="little"))
    owner = np.searchsorted(BITS_PER_WORD * start, bits, side="right") - 1
    return Categories(categorical[np.argsort(sets)][owner], bits - BITS_PER_WORD * start[owner])


def _check(forest: Forest) -> None:
    """Raise ValueError where a number would lead a kernel out of its arrays, or to an answer that is not finite."""
    splits, grown = forest.splits, np.diff(forest.split_start) > 0
    if not np.isfinite(forest.leaf_values).all() or np.isnan(splits.thresholds).any():
        raise ValueError("it has a leaf or a threshold that is not a number")
    if np.any((splits.features < 0) | (splits.features >= len(forest.feature_names))):
        raise ValueError(f"it splits on another feature than its {len(forest.feature_names)}")
    children = np.sort(np.concatenate([splits.left, splits.right]))
    below_a_root = np.delete(np.arange(len(splits.left)), forest.split_start[:-1][grown])
    leaves_below = np.flatnonzero(np.repeat(grown, np.diff(forest.leaf_start)))
    if not np.array_equal(children, np.concatenate([np.sort(~leaves_below), below_a_root])):
        raise ValueError("its splits and leaves are no trees")
