"""Calibration: from raw margin to the share that fails among SKUs with this score, with an interval."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import UserError
from models.calibration_curves import (
    FITS,
    LOGIT_BOUND,
    Curve,
    Floats,
    Integers,
    MarginBins,
    SelectionShift,
    margin_bins,
    tally,
)

LEVEL = 0.8
"""The nominal level of every interval for `p_fail` (stored with each calibration)."""

MANY_LABELS = 1000
"""Below this effective number only Platt is tried (Niculescu-Mizil and Caruana 2005, DOI 10.1145/1102351.1102430)."""

FOLDS = 5
REPLICATES = 200
BEYOND = 3.0
"""How far past the margins seen (in log-odds) a curve is carried on before its ends hold."""


@dataclass(frozen=True)
class Calibration:
    """A monotone curve from margin to `p_fail`, with the ends of an interval.

    `knots` are margins that rise; `p`, `low` and `high` are probabilities inside (0, 1) at the knots that never
    fall, with low <= p <= high. Between knots the log-odds are interpolated (so a Platt curve is exact); outside
    the knots the ends hold. The interval covers, with probability `level`, the failing share among SKUs with this
    score in a coming period: it holds the uncertainty of the curve and the drift between periods, not the luck of
    a single test. `kind` is platt, beta or isotonic; `labels`, `failed`, `suppliers` and `periods` count what it was
    learned from; `drift_sd` is the standard deviation (in log-odds) of a coming period around the curve, and
    `log_loss` the cross-validated loss of each candidate. `shift` is what was added for the catalogue, None where the
    curve speaks of the tested.
    """

    kind: str
    level: float
    knots: tuple[float, ...]
    p: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    labels: int
    failed: int
    suppliers: int
    periods: int
    drift_sd: float
    log_loss: Mapping[str, float]
    shift: SelectionShift | None = None

    def __post_init__(self) -> None:
        """Refuse curves that fall, cross or leave (0, 1)."""
        knots, p, low, high = (np.asarray(curve, dtype=float) for curve in (self.knots, self.p, self.low, self.high))
        if not (len(knots) == len(p) == len(low) == len(high) >= 2):
            raise UserError(f"A calibration needs two knots or more, each with p, low and high; got {len(knots)}.")
        curves = (p, low, high)
        sound = (
            np.all(np.isfinite(knots))
            and np.all(np.diff(knots) > 0)
            and all(np.all(np.diff(curve) >= 0) and curve[0] > 0 and curve[-1] < 1 for curve in curves)
            and np.all(low <= p)
            and np.all(p <= high)
        )
        if not sound:
            raise UserError(
                f"The {self.kind} calibration is not one: knots must rise, p, low and high must stay inside (0, 1), "
                "never fall and keep low <= p <= high. Fit it again."
            )

    def p_fail(self, margin: Floats) -> Floats:
        """Calibrated probability of failing, the same shape as `margin` (raw log-odds)."""
        p: Floats = self._read(margin, self._logits[:1])[0]
        return p

    def interval(self, margin: Floats) -> tuple[Floats, Floats]:
        """Lower and upper end of the interval of `p_fail`, each the same shape as `margin`."""
        return self.p_fail_with_interval(margin)[1:]

    def p_fail_with_interval(self, margin: Floats) -> tuple[Floats, Floats, Floats]:
        """`p_fail` and the ends of `interval`, at the price of one of them."""
        p, low, high = self._read(margin, self._logits)
        return p, np.minimum(low, p), np.maximum(high, p)

    def for_catalogue(self, shift: SelectionShift) -> "Calibration":
        """The curve of the whole catalogue, not only of the tested; the interval holds the shift's uncertainty too."""
        logit, lower, upper = (
            np.log(curve) - np.log1p(-curve) for curve in map(np.asarray, (self.p, self.low, self.high))
        )
        moved, room = shift.apply(logit), NormalDist().inv_cdf((1.0 + self.level) / 2.0) * shift.sd(logit)
        below = moved - np.hypot((logit - lower) * (1.0 + shift.slope), room)
        above = moved + np.hypot((upper - logit) * (1.0 + shift.slope), room)
        # The room grows away from the centre, and an end may not fall: it is kept the wider.
        ends = (np.minimum.accumulate(below[::-1])[::-1], moved, np.maximum.accumulate(above))
        low, p, high = (tuple(_probability(curve).tolist()) for curve in ends)
        return replace(self, p=p, low=low, high=high, shift=shift)

    def to_json(self) -> str:
        """The calibration as JSON; every number comes back bit for bit."""
        return json.dumps({**asdict(self), "log_loss": dict(self.log_loss)}, indent=1, allow_nan=False) + "\n"

    @cached_property
    def _margins(self) -> Floats:
        return np.asarray(self.knots, dtype=float)

    @cached_property
    def _logits(self) -> Floats:
        """The log-odds of p, low and high, (3, knots)."""
        curves = np.array([self.p, self.low, self.high], dtype=float)
        return np.asarray(np.log(curves) - np.log1p(-curves))

    def _read(self, margin: Floats, logits: Floats) -> Floats:
        """Curves (curves, knots) at `margin`: log-odds interpolated and kept between knots, so that they never fall."""
        margin, knots = np.asarray(margin, dtype=float), self._margins
        left = _clip(knots.searchsorted(margin, side="right") - 1, 0, len(knots) - 2)
        below, above = logits[:, left], logits[:, left + 1]
        share = _clip((margin - knots[left]) / (knots[left + 1] - knots[left]), 0.0, 1.0)
        logit = _clip(below + share * (above - below), below, above)
        return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=float)

    @staticmethod
    def from_json(text: str) -> "Calibration":
        """The calibration that `to_json` wrote; UserError where it is not one."""
        try:
            given = json.loads(text)
            curves = {name: tuple(map(float, given[name])) for name in ("knots", "p", "low", "high")}
            shift = given["shift"] and SelectionShift(**given["shift"])
            every = {field.name: given[field.name] for field in fields(Calibration)}
            return Calibration(**{**every, **curves, "shift": shift})
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"This is not a calibration: {error!r}. Restore calibration.json or train again."
            ) from error


def _clip(values: NDArray[Any], least: ArrayLike, most: ArrayLike) -> NDArray[Any]:
    """`np.clip`, which takes five times as long for a few numbers."""
    return np.asarray(np.minimum(np.maximum(values, least), most))


@dataclass(frozen=True)
class _Labels:
    """Labels ready to fit: supplier and period as codes from 0 (periods in time order), weights with mean 1."""

    margin: Floats
    failed: Floats
    supplier: Integers
    period: Integers
    weight: Floats
    bins: MarginBins

    def fit(self, kind: str, weight: Floats) -> Curve:
        """The curve of this kind for other weights of the same labels."""
        return FITS[kind](tally(self.bins, self.failed, weight))


def fit_calibration(
    margin: ArrayLike,
    failed: ArrayLike,
    suppliers: ArrayLike | None = None,
    periods: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit a calibration to labels that the booster has not seen.

    All arrays have one entry per label: `margin` (raw log-odds), `failed` (0 or 1), `suppliers` (any ids; labels of
    one supplier stand or fall together), `periods` (ids that sort in time order, such as quarters; without them no
    drift can be seen and the interval holds none) and `weights` (of the curve; the drift is that of all labels alike).
    With `MANY_LABELS` or more the simplest of Platt, beta and isotonic is taken whose log loss over folds of suppliers
    is within one standard error of the best. The
    interval (see `Calibration`) comes from a Bayesian bootstrap over suppliers (Rubin 1981, DOI
    10.1214/aos/1176345338) plus a shift for the coming period as wide as the past surprises were: see `_drift_sd`.

    Raises UserError where the labels are of one class, differ in number or hold a margin that is not finite.
    """
    labels = _prepare_labels(margin, failed, suppliers, periods, weights)
    kind, log_loss = _select_curve(labels, seed)
    knots = _knots(labels.margin)
    curve = labels.fit(kind, labels.weight)
    drift_sd = _drift_sd(labels, curve)
    p = _probability(curve(knots))
    low, high = _interval(labels, kind, knots, drift_sd, seed)
    low, high = np.minimum(low, p), np.maximum(high, p)
    return Calibration(
        kind, LEVEL, tuple(knots.tolist()), tuple(p.tolist()), tuple(low.tolist()), tuple(high.tolist()),
        labels=len(labels.margin), failed=int(labels.failed.sum()), suppliers=int(labels.supplier.max()) + 1,
        periods=int(labels.period.max()) + 1, drift_sd=drift_sd, log_loss=log_loss,
    )  # fmt: skip


def _prepare_labels(
    margin: ArrayLike,
    failed: ArrayLike,
    suppliers: ArrayLike | None,
    periods: ArrayLike | None,
    weights: ArrayLike | None,
) -> _Labels:
    margins, outcomes = np.asarray(margin, dtype=float), np.asarray(failed, dtype=float)
    count = len(margins)
    supplier = np.arange(count) if suppliers is None else np.unique(np.asarray(suppliers), return_inverse=True)[1]
    period = np.zeros(count, int) if periods is None else np.unique(np.asarray(periods), return_inverse=True)[1]
    weight = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
    if not (count == len(outcomes) == len(supplier) == len(period) == len(weight)):
        raise UserError("A calibration needs one outcome, supplier, period and weight for each margin; lengths differ.")
    if not (np.isin(outcomes, (0.0, 1.0)).all() and 0 < outcomes.sum() < count):
        raise UserError(
            f"A calibration needs labels of both classes; of {count} labels {int(np.nansum(outcomes))} failed. "
            "Give it a longer calibration slice."
        )
    if not (np.isfinite(margins).all() and np.isfinite(weight).all() and (weight > 0).all()):
        raise UserError("A calibration needs finite margins and weights above 0. Leave out the labels without them.")
    codes = (supplier.astype(np.int64), period.astype(np.int64))
    return _Labels(margins, outcomes, *codes, weight / weight.mean(), margin_bins(margins))


def _select_curve(labels: _Labels, seed: int) -> tuple[str, dict[str, float]]:
    """The simplest candidate within one standard error of the best, and the cross-validated log loss of each."""
    suppliers = int(labels.supplier.max()) + 1
    effective = labels.weight.sum() ** 2 / (labels.weight**2).sum()  # number of labels, by Kish
    candidates = list(FITS) if effective >= MANY_LABELS else ["platt"]
    folds = min(FOLDS, suppliers)
    if folds < 2:
        return "platt", {}
    fold = (np.random.default_rng(seed).permutation(suppliers) % folds)[labels.supplier]
    losses = {kind: np.zeros(len(labels.margin)) for kind in candidates}
    for held in range(folds):
        out = fold == held
        for kind in candidates:
            logit = labels.fit(kind, np.where(out, 0.0, labels.weight))(labels.margin[out])
            losses[kind][out] = labels.weight[out] * (np.logaddexp(0.0, logit) - labels.failed[out] * logit)
    means = {kind: float(loss.mean()) for kind, loss in losses.items()}
    best = min(candidates, key=means.__getitem__)
    for kind in candidates:
        excess = np.bincount(labels.supplier, losses[kind] - losses[best])
        if excess.mean() <= excess.std() / np.sqrt(suppliers):
            return kind, means
    return best, means


def _drift_sd(labels: _Labels, curve: Curve) -> float:
    """How far, in log-odds, a coming period may lie from the curve of all earlier ones.

    For each period in turn: its shift against the mean shift of the periods before it, squared, less what the labels'
    own noise explains (suppliers as clusters), averaged with precision weights. Trends count as well as scatter.
    """
    logit = curve(labels.margin)
    p = _probability(logit)
    periods = int(labels.period.max()) + 1
    information = np.bincount(labels.period, p * (1.0 - p))
    score = labels.failed - p
    shift = np.bincount(labels.period, score) / information
    cells, which = np.unique(labels.supplier * periods + labels.period, return_inverse=True)
    noise = np.bincount(cells % periods, np.bincount(which, score) ** 2, minlength=periods) / information**2
    noise = np.maximum(noise, 1.0 / information)
    precision = np.cumsum(1.0 / noise)
    before = np.cumsum(shift / noise)[:-1] / precision[:-1]
    surprise, expected = (shift[1:] - before) ** 2, noise[1:] + 1.0 / precision[:-1]
    if periods < 2:
        return 0.0
    return float(np.sqrt(max(0.0, np.average(surprise - expected, weights=1.0 / expected))))


def _interval(labels: _Labels, kind: str, knots: Floats, drift_sd: float, seed: int) -> tuple[Floats, Floats]:
    """The interval's ends at the knots, over replicates of the suppliers' weights and of the coming period's shift."""
    draw = np.random.default_rng(seed)
    suppliers, periods = int(labels.supplier.max()) + 1, int(labels.period.max()) + 1
    curves = np.empty((REPLICATES, len(knots)))
    for replicate in range(REPLICATES):
        importance = draw.exponential(size=suppliers)[labels.supplier]
        curves[replicate] = labels.fit(kind, labels.weight * importance)(knots)
    if periods > 1:
        curves += drift_sd * draw.standard_t(periods - 1, size=(REPLICATES, 1))
    low, high = np.quantile(curves, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0], axis=0)
    return _probability(np.maximum.accumulate(low)), _probability(np.maximum.accumulate(high))


def _knots(margin: Floats) -> Floats:
    """Knots dense where labels are, and on to `BEYOND` past them on either side."""
    even = np.linspace(margin.min() - BEYOND, margin.max() + BEYOND, 61)
    return np.unique(np.round(np.concatenate([even, np.quantile(margin, np.linspace(0.0, 1.0, 61))]), 6))


def _probability(logit: Floats) -> Floats:
    bounded = np.clip(logit, -LOGIT_BOUND, LOGIT_BOUND)
    return np.asarray(1.0 / (1.0 + np.exp(-bounded)), dtype=float)
