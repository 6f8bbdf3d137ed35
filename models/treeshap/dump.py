"""The dump of a LightGBM booster as trees of plain splits, or a sentence why this engine refuses it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MISSING_TYPES = ("None", "Zero", "NaN")
DUMPED_INFINITY = 1e300  # LightGBM's AvoidInf: a dump writes thresholds beyond it as it, the booster holds infinity


class UnsupportedModel(ValueError):  # noqa: N818 - it says what the model is, and is caught as a ValueError
    """A dump that the engine cannot explain exactly: what is wrong, what was given, what to do."""


class Split(NamedTuple):
    """One test of a tree: rows that pass go to the left child.

    `missing` is LightGBM's missing type of a numerical split ("None", "Zero", "NaN") or "category"; `threshold` belongs
    to numerical splits (left when value <= threshold), `categories` to categorical ones (left when in the set).
    `cover` counts the training rows; children are positions in `Tree.nodes`.
    """

    feature: int
    missing: str
    default_left: bool
    threshold: float
    categories: tuple[int, ...]
    left: int
    right: int
    cover: float


class Leaf(NamedTuple):
    """The value of a leaf in raw-margin units and the number of training rows in it."""

    value: float
    cover: float


@dataclass(frozen=True)
class Tree:
    """The nodes of one tree; the root is node 0 and children come after their parent."""

    nodes: tuple[Split | Leaf, ...]


@dataclass(frozen=True)
class Forest:
    """All trees of a single-output booster.

    The raw margin of a row is the sum of its leaves, also where the booster averages (random forest): LightGBM divides
    in `predict`, and neither in its raw score nor in its contributions.
    """

    trees: tuple[Tree, ...]
    n_features: int


def read_dump(dump: Mapping[str, Any]) -> Forest:
    """Read `booster.dump_model()`.

    Raises:
        UnsupportedModel: several outputs per row, linear trees, or values that are not finite.

    """
    if "tree_info" not in dump or "max_feature_idx" not in dump:
        raise UnsupportedModel(
            "This is not a LightGBM model dump: it has no 'tree_info' or no 'max_feature_idx'. "
            "Pass the dictionary that booster.dump_model() returns."
        )
    outputs = int(dump.get("num_tree_per_iteration", 1))
    if outputs != 1:
        raise UnsupportedModel(
            f"Models with several outputs are not explained: this one grows {outputs} trees per iteration. "
            "Train one binary or regression model per class."
        )
    trees = tuple(_read_tree(entry["tree_structure"], at) for at, entry in enumerate(dump["tree_info"]))
    return Forest(trees, int(dump["max_feature_idx"]) + 1)


def _read_tree(root: Mapping[str, Any], position: int) -> Tree:
    described: list[Mapping[str, Any]] = [root]
    nodes: list[Split | Leaf] = []
    for node in described:  # grows while it is read: no recursion, so that depth has no limit
        if "split_feature" not in node:
            nodes.append(_read_leaf(node, position))
            continue
        nodes.append(_read_split(node, position, len(described)))
        described.extend((node["left_child"], node["right_child"]))
    return Tree(tuple(nodes))


def _read_leaf(node: Mapping[str, Any], position: int) -> Leaf:
    if "leaf_coeff" in node or "leaf_const" in node:
        raise UnsupportedModel(
            f"Linear trees have no exact path-dependent contributions here: tree {position} has a linear leaf. "
            "Train with linear_tree=false."
        )
    value = float(node["leaf_value"])
    if not math.isfinite(value):
        raise UnsupportedModel(f"A leaf value must be finite: tree {position} has a leaf of {value}. Train again.")
    return Leaf(value, float(node.get("leaf_count", 0)))


def _read_split(node: Mapping[str, Any], position: int, left: int) -> Split:
    decision, missing = node["decision_type"], node.get("missing_type", "None")
    if decision not in ("<=", "==") or missing not in MISSING_TYPES:
        raise UnsupportedModel(
            f"Splits are '<=' or '==' with missing type None, Zero or NaN: tree {position} has a split "
            f"'{decision}' with missing type '{missing}'. Dump the model with LightGBM 4."
        )
    categorical = decision == "=="
    categories = tuple(sorted({int(c) for c in str(node["threshold"]).split("||")})) if categorical else ()
    threshold = 0.0 if categorical else float(node["threshold"])
    if abs(threshold) >= DUMPED_INFINITY:
        threshold = math.copysign(math.inf, threshold)
    if math.isnan(threshold):
        raise UnsupportedModel(f"A threshold must be a number: tree {position} has a split at NaN. Train again.")
    return Split(
        feature=int(node["split_feature"]),
        missing="category" if categorical else missing,
        default_left=bool(node["default_left"]),
        threshold=threshold,
        categories=categories,
        left=left,
        right=left + 1,
        cover=float(node["internal_count"]),
    )
