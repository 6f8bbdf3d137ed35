"""Hand-made trees, and the LightGBM model file that holds one."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Leaf:
    """A value and the number of training rows that arrived."""

    value: float
    cover: int


@dataclass(frozen=True)
class Split:
    """A numerical split; missing values go to the left."""

    feature: int
    left: "Split | Leaf"
    right: "Split | Leaf"
    threshold: float
    cover: int


def split(feature: int, left: Split | Leaf, right: Split | Leaf, threshold: float = 0.0) -> Split:
    """A split whose cover is that of its children."""
    return Split(feature, left, right, threshold, left.cover + right.cover)


def chain(features: int) -> Split:
    """A tree that tests one more feature on each level."""
    root = split(features - 1, Leaf(1.0, 1), Leaf(-1.0, 1))
    for feature in reversed(range(features - 1)):
        root = split(feature, Leaf(0.5 * feature, 1), root)
    return root


def model_text(root: Split | Leaf, features: int) -> str:
    """The file of a model of this one tree."""
    splits, leaves = _nodes(root)
    split_place, leaf_place = ({id(node): at for at, node in enumerate(nodes)} for nodes in (splits, leaves))

    def child(node: Split | Leaf) -> int:
        return split_place[id(node)] if isinstance(node, Split) else -1 - leaf_place[id(node)]

    fields: dict[str, Sequence[float]] = {
        "num_leaves": [len(leaves)],
        "num_cat": [0],
        "split_feature": [node.feature for node in splits],
        "threshold": [node.threshold for node in splits],
        "decision_type": [10] * len(splits),  # missing type NaN, to the left
        "left_child": [child(node.left) for node in splits],
        "right_child": [child(node.right) for node in splits],
        "leaf_value": [leaf.value for leaf in leaves],
        "leaf_count": [leaf.cover for leaf in leaves],
        "internal_count": [node.cover for node in splits],
    }
    tree = "".join(f"{name}={' '.join(map(repr, values))}\n" for name, values in fields.items())
    names = " ".join(f"Column_{feature}" for feature in range(features))
    return f"tree\nversion=v4\nnum_tree_per_iteration=1\nfeature_names={names}\n\nTree=0\n{tree}\n\nend of trees\n"


def _nodes(root: Split | Leaf) -> tuple[list[Split], list[Leaf]]:
    """All nodes in preorder; no recursion, so that depth has no limit."""
    splits: list[Split] = []
    leaves: list[Leaf] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Leaf):
            leaves.append(node)
        else:
            splits.append(node)
            waiting += [node.right, node.left]
    return splits, leaves
