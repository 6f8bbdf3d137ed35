"""Online store: answers for single SKUs from the memory-mapped publication in service, without any database."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic_core import to_json

from data.errors import NotFoundError, UserError
from data.workspace import Workspace
from features.snapshot.reader import open_snapshot
from models.artifact import Artifact, require_feature_version
from models.harm_assessment import HarmAssessor, features_of_harm
from models.hazard_shares import CELL
from models.interactions import InteractionText, interaction_policy_in_force, interactions_to_tell
from models.reasons import ReasonWriter, RowContext
from models.registry import load_model
from models.risk_bands import bands_in_force
from models.scorer import Scores
from sampling.estimation.known_rounds import learned_screens
from sampling.estimation.policy import estimation_policy_in_force
from sampling.plan import Plan, allocate
from sampling.policy import sampling_policy_in_force
from sampling.randomness import SeedCommitment
from sampling.rounds import in_progress
from serving.dossiers.reader import Dossiers
from serving.publication import published_name, read_publication
from serving.review_queue.build import open_queue
from serving.review_queue.reader import Queue
from serving.schemas import Item, RefusedItem, ScoreAnswer, ScoreRow
from serving.score_rows import RowScorer

Floats = NDArray[np.float64]
Record = dict[str, Any]

# Column of the plan's candidates: the feature it is read from.
_CANDIDATE_FEATURES = {
    "exposure": "sku_units_90",
    "supplier_tests": "supplier_tests",
    "cell_tests": "category_tests_365",
    "days_since_test": "sku_days_since_test",
    "days_since_fail": "sku_days_since_fail",
}


KEYS_AT_ONCE = 65_536


class OnlineStore:
    """A model, its snapshot and its ranks, which were published together.

    `p_fail` has an entry per row of the snapshot; `metrics` are those of the training of `artifact`,
    the model, of which `scorer` and `reason_writer` are made. Raises UserError where a part is missing or broken.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.name, self._workspace = name, workspace
        self.publication, self._ranks, self.p_fail = read_publication(workspace, name)
        self.artifact: Artifact = load_model(workspace, self.publication.model_version)
        self.snapshot = open_snapshot(workspace.home / self.publication.snapshot, self.publication.snapshot_digest)
        if len(self._ranks) != len(self.snapshot):
            raise UserError(
                f"The publication {name} ranks {len(self._ranks)} SKUs, its snapshot holds {len(self.snapshot)}. "
                "Run `touchstone score`."
            )
        self._dossiers = self._open_dossiers(workspace)
        require_feature_version(self.artifact, self.snapshot.feature_version)
        self.scorer = RowScorer(self.artifact, self.publication.as_of, bands_in_force(self.publication.as_of))
        self.metrics = self.artifact.metrics
        self.reason_writer = ReasonWriter(self.artifact)

    def answer(self, items: Sequence[Item], explain: bool) -> ScoreAnswer:
        """The scores of the known items and, with a sentence each, the unknown ones."""
        return ScoreAnswer.model_validate(self._answer_fields(items, explain))

    def answer_json(self, items: Sequence[Item], explain: bool) -> bytes:
        """`answer` as JSON, without validating it."""
        return to_json(self._answer_fields(items, explain), inf_nan_mode="null")

    def _answer_fields(self, items: Sequence[Item], explain: bool) -> Record:
        """The fields of ScoreAnswer, in its order."""
        positions = self.snapshot.find([item.sku_id for item in items], [item.market for item in items])
        known = [item for item, position in zip(items, positions, strict=True) if position >= 0]
        unknown = [item for item, position in zip(items, positions, strict=True) if position < 0]
        scores = self._rows(known, positions[positions >= 0], explain)
        refused = [self._refuse(item).model_dump() for item in unknown]
        return {"scores": scores, "refused": refused, **self._versions, "as_of": self.publication.as_of}

    @property
    def dossiers(self) -> Dossiers:
        """The dossiers of the rows of the snapshot; UserError where the catalogue was scored without them."""
        if self._dossiers is None:
            raise UserError(f"The publication {self.name} has no dossiers. Run `touchstone score`.")
        return self._dossiers

    def score_row(self, item: Item) -> ScoreRow:
        """The score of one SKU with its reasons; NotFoundError where the catalogue does not know it."""
        answer = self.answer([item], explain=True)
        if answer.refused:
            raise NotFoundError(answer.refused[0].why)
        return answer.scores[0]

    def interactions(self, row: RowContext, values: Floats, contributions: Floats) -> list[InteractionText]:
        """The pairs of facts of a row that weigh more, or less, together than apart, by the policy of the day.

        `values` and `contributions` are (features,).
        """
        policy = interaction_policy_in_force(self.publication.as_of)
        (interactions,) = self.scorer.interactions(values[None, :])
        return interactions_to_tell(self.reason_writer, row, contributions, interactions, policy)

    @cached_property
    def queue(self) -> Queue:
        """The review queue; UserError where the catalogue was scored without dossiers."""
        return open_queue(self._workspace, self.publication)

    def titles(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """The titles of SKUs by (sku_id, market); None where a listing has none or the catalogue lacks it."""
        positions = self.snapshot.find([sku_id for sku_id, _ in keys], [market for _, market in keys])
        known = positions >= 0
        titles = iter(self.dossiers.titles.take(pa.array(positions[known])).to_pylist())
        return {key: next(titles) if is_known else None for key, is_known in zip(keys, known.tolist(), strict=True)}

    def prior(self, rate: str) -> tuple[float, float]:
        """Mean and strength (in tests) of the prior of a fail rate, as training fitted it."""
        rates = self.artifact.reference["rates"].to_pydict()
        row = rates["rate"].index(rate)
        return float(rates["prior_mean"][row]), float(rates["prior_strength"][row])

    def rows_at(self, positions: NDArray[np.int64]) -> list[ScoreRow]:
        """The scores of the rows of the snapshot at `positions`, with their reasons."""
        keys = [self.snapshot.keys(position, position + 1).to_pylist()[0] for position in positions.tolist()]
        items = [Item(sku_id=key["sku_id"], market=key["market"]) for key in keys]
        return [ScoreRow.model_validate(row) for row in self._rows(items, positions, explain=True)]

    def riskiest(self, most: int) -> list[ScoreRow]:
        """The SKUs of rank 1 to `most`, with their reasons."""
        positions = np.flatnonzero(self._ranks <= most)
        return self.rows_at(positions[np.argsort(self._ranks[positions])])

    def candidates(self) -> pa.Table:
        """Sampling frame of a plan: table of every SKU with its key, category, supplier, p_fail, sales and tests."""
        rows = len(self.snapshot)
        candidates = self.snapshot.keys(0, rows).append_column("p_fail", pa.array(self.p_fail))
        for name, feature in _CANDIDATE_FEATURES.items():
            candidates = candidates.append_column(name, pa.array(self.snapshot.feature(feature), from_pandas=True))
        rate, tests = self.snapshot.feature("category_fail_rate_365"), self.snapshot.feature("category_tests_365")
        repeated = {
            "as_of": pa.scalar(self.publication.as_of, pa.date32()),
            "model_version": pa.scalar(self.publication.model_version),
            "feature_version": pa.scalar(self.publication.feature_version),
        }
        candidates = candidates.append_column("cell_failures", pa.array(rate * tests, from_pandas=True))
        candidates = candidates.append_column("harm_weight", pa.array(self._harm_weights(), from_pandas=True))
        for name, value in repeated.items():
            candidates = candidates.append_column(name, pa.repeat(value, rows))
        return candidates

    def plan(self, budget_eur: float, seed: int, nonce: str = "") -> Plan:
        """The sampling plan for a budget, without SKUs in test.

        UserError where budget or catalogue do not allow one.
        """
        as_of = self.publication.as_of
        learned = learned_screens(self._workspace, as_of, estimation_policy_in_force(as_of))
        policy = sampling_policy_in_force(as_of).with_screens(learned)
        same_round = SeedCommitment(seed, nonce).round_id(as_of)
        in_test = in_progress(self._workspace, as_of, policy.grace_days, but=same_round)
        return allocate(self.candidates(), policy, budget_eur, seed, in_test, nonce)

    def _harm_weights(self) -> Floats:
        """What a failure of each SKU weighs in a plan, NaN where unknown; of the few features that say so."""
        names = features_of_harm(self.artifact.reference)
        harms = HarmAssessor(self.artifact.reference, names, self.scorer.harms.policy)
        matrix = np.column_stack([self.snapshot.feature(name) for name in names])
        weights = np.empty(len(matrix))
        for start in range(0, len(matrix), KEYS_AT_ONCE):
            part = slice(start, start + KEYS_AT_ONCE)
            keys = self.snapshot.keys(start, part.stop)
            cells = zip(*(keys[name].to_pylist() for name in CELL), strict=True)
            weights[part] = harms.assess(cells, matrix[part], self.p_fail[part]).plan_weight
        return weights

    def _open_dossiers(self, workspace: Workspace) -> Dossiers | None:
        if self.publication.dossiers is None:
            return None
        dossiers = Dossiers(workspace.home / self.publication.dossiers, self.publication.dossiers_digest)
        made_of, expected = ((each.as_of, each.fingerprint, len(each)) for each in (dossiers, self.snapshot))
        if made_of != expected:
            raise UserError(f"The dossiers in {dossiers.folder} belong to another catalogue. Run `touchstone score`.")
        return dossiers

    @cached_property
    def _versions(self) -> Record:
        """The fields that every row and answer repeats."""
        return {
            "model_version": self.artifact.version, "feature_version": self.artifact.feature_version,
            "policy_version": self.scorer.policy_version,
        }  # fmt: skip

    def _rows(self, items: Sequence[Item], positions: NDArray[np.int64], explain: bool) -> list[Record]:
        """The fields of ScoreRow for each item, in its order; Arrow would cost more than the scores of so few rows."""
        matrix = self.snapshot.matrix_at(positions)
        scores = self.scorer.score(matrix) if explain else self.scorer.probabilities(matrix)
        reasons = self._reasons(matrix, positions, scores) if isinstance(scores, Scores) else [None] * len(items)
        bands = self.scorer.bands.band(scores.p_fail)
        columns = {
            "margin": scores.margin.tolist(), "p_fail": scores.p_fail.tolist(), "p_low": scores.p_low.tolist(),
            "p_high": scores.p_high.tolist(), "band": bands.tolist(), **self._harms(positions, matrix, scores.p_fail),
            "rank": self._ranks[positions].tolist(), "reasons": reasons,
        }  # fmt: skip
        return [
            {"sku_id": item.sku_id, "market": item.market, "as_of": self.publication.as_of,
             **dict(zip(columns, values, strict=True)), **self._versions}
            for item, *values in zip(items, *columns.values(), strict=True)
        ]  # fmt: skip

    def _harms(self, positions: NDArray[np.int64], matrix: Floats, p_fail: Floats) -> Record:
        """The columns of ScoreRow on what would fail."""
        snapshot, rows = self.snapshot, positions.tolist()
        keys = [(snapshot.category(row), snapshot.market(row), snapshot.supplier(row)) for row in rows]
        return self.scorer.harm_columns(keys, matrix, p_fail)

    def _reasons(self, matrix: Floats, positions: NDArray[np.int64], scores: Scores) -> list[list[Record]]:
        """The fields of Reason for each row."""
        contexts = [RowContext(self.snapshot.category(position), margin, values) for position, margin, values
                    in zip(positions.tolist(), scores.margin.tolist(), matrix, strict=True)]  # fmt: skip
        return self.reason_writer.reason_records(contexts, scores.contributions)

    def _refuse(self, item: Item) -> RefusedItem:
        return RefusedItem(
            sku_id=item.sku_id,
            market=item.market,
            why=f"The catalogue of {self.publication.as_of} has no SKU {item.sku_id!r} in market {item.market!r}. "
            "Check both, or wait for the next scoring of the catalogue.",
        )


def open_online_store(workspace: Workspace) -> OnlineStore:
    """The publication in service; UserError where nothing was published yet, or it is broken."""
    name = published_name(workspace)
    if name is None:
        raise UserError(f"No catalogue was scored in {workspace.home} yet. Run `touchstone score`.")
    return OnlineStore(workspace, name)
