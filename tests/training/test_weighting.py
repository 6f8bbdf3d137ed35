"""The comparison of a booster whose labels weigh by their propensity with one whose labels weigh alike."""

import json
from dataclasses import replace

import numpy as np
import pytest

from data.progress import SilentProgress
from tests.training.worlds import market_frames, small_recipe, tables_of
from training.bootstrap import supplier_weights
from training.earning import Study, earn, studied
from training.evaluation import Judged
from training.examples import examples
from training.recipe import Recipe
from training.splits import split_by_time
from training.weighting import WeightingComparison, weighting_comparison


@pytest.fixture(scope="module")
def study() -> Study:
    """The small marketplace, whose propensities are drawn at random."""
    tables, recipe = tables_of(market_frames()), small_recipe()
    labels = examples(tables)
    return studied(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())


def compared(study: Study, recipe: Recipe) -> WeightingComparison:
    """The comparison for a model of this recipe."""
    tests = study.labels.iloc[study.split.test]
    weights = supplier_weights(tests["supplier_id"].tolist(), 30, 1)
    judged = Judged(tests["failed"].to_numpy(dtype=np.bool_), weights, budget=20)
    return weighting_comparison(study, earn(study, recipe, SilentProgress()), judged, recipe)


def test_equal_propensities_make_no_difference(study: Study) -> None:
    told = compared(replace(study, labels=study.labels.assign(propensity=0.2)), small_recipe())
    assert told.weighted == told.unweighted
    assert told.failed_change.value == 0


def test_each_recipe_is_compared_with_the_other_way_of_weighing(study: Study) -> None:
    plain, weighing = compared(study, small_recipe()), compared(study, small_recipe(propensity="true"))
    assert (plain.used, weighing.used) == (False, True)
    assert plain.weighted != plain.unweighted
    assert plain.unweighted.auc.value > plain.weighted.auc.value - 0.1
    json.dumps(plain.to_json(), allow_nan=False)
