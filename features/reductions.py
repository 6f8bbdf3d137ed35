"""Reductions: the sums, least and greatest values and numbers of different keys that features are made of."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.lake.duckdb_engine import deferred_batches
from features import adding
from features.ages import age_in, fulfilled, is_age, origin_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend

Kind = Literal["sum", "least", "greatest", "distinct"]
Found = Mapping[ops.Node, NDArray[Any]]
"""An array for each expression or reduction."""
ROWS_PER_BATCH = 250_000
BATCHES_WAITING = 2
MOST_CONDITIONS = 63


class Term(NamedTuple):
    """A reduction of the rows that fulfil `condition`: their `number` (None = 1) is added, compared or told apart."""

    kind: Kind
    condition: ops.Node
    number: ops.Node | None


def reductions_in(values: "Iterable[ir.Value]") -> list[ops.Node]:
    """Every reduction of `values` once; how their rows were made is not looked into."""
    return list(dict.fromkeys(node for value in values for node in value.op().find(ops.Reduction, filter=ops.Value)))


def term_of(reduction: ops.Node) -> Term | None:
    """The reduction as a term; None where the reductions of parts do not tell that of the whole."""
    number, where = reduction.arg, reduction.where
    if isinstance(reduction, ops.Sum) and where is None and _or_nothing(number):
        chosen = number.true_expr
        return Term("sum", number.bool_expr, None if getattr(chosen, "value", None) == 1 else chosen)
    present = number.to_expr().notnull()
    told = (present if where is None else where.to_expr() & present).op()
    if isinstance(reduction, ops.CountDistinct) and number.dtype.is_integer():
        return Term("distinct", told, number)
    kinds: Mapping[type[ops.Node], Kind] = {ops.Sum: "sum", ops.Min: "least", ops.Max: "greatest"}
    return Term(kinds[type(reduction)], told, number) if type(reduction) in kinds else None


def _or_nothing(number: ops.Node) -> bool:
    """Whether rows that do not fulfil a condition bring 0."""
    return isinstance(number, ops.IfElse) and getattr(number.false_null_expr, "value", None) == 0


@dataclass(frozen=True)
class Placed:
    """Rows whose place, from 0 up to `size`, is their `column`, or stands in `places` under the code that is."""

    rows: "ir.Table"
    column: str
    places: NDArray[np.int32] | None
    size: int


class Reduced:
    """What each term comes to at every place, over rows once they are read."""

    def __init__(self, terms: Mapping[ops.Node, Term], backend: "Backend", placed: Placed) -> None:
        self._terms, self._places, self._size = terms, placed.places, placed.size
        self._questions = _questions(backend, placed, terms.values())
        self._found: dict[ops.Node, NDArray[Any]] = {}
        self._keys = [_Keys(chosen) for chosen in _alike(terms)]

    def read(self, adder: Executor) -> None:
        """Have the rows read and added: the `adder`, one thread, adds one batch while the backend makes the next."""
        self._found = _nothing(self._terms, self._size)
        waiting: deque[Future[None]] = deque()
        for code, columns in chain.from_iterable(map(_batches, self._questions)):
            waiting.append(adder.submit(self._add, code, columns))
            if len(waiting) > BATCHES_WAITING:
                waiting.popleft().result()
        for added in waiting:
            added.result()
        for keys in self._keys:
            keys.join()

    def _add(self, code: NDArray[Any], columns: Found) -> None:
        place = code.astype(np.int32) if self._places is None else np.take(self._places, code)
        for reduction, term in self._terms.items():
            told, found = columns.get(term.condition), self._found.get(reduction)
            if term.number is None:
                adding.count(place, told, found)
            elif term.number not in columns:  # it is 0 in all of these rows
                continue
            elif term.kind == "sum":
                adding.add(place, told, columns[term.number], found)
            elif term.kind != "distinct":
                adding.least(place, told, columns[term.number], _sign(term), found)
        for keys in self._keys:
            keys.keep(place, columns)

    def of_places(self) -> Found:
        """What each reduction comes to at every place: a sum of nothing is 0, any other value of nothing NaN."""
        found = _told(self._terms, self._found)
        for keys in self._keys:
            found |= keys.counted(None, self._size)
        return found

    def of_owners(self, owner: NDArray[np.int32], size: int) -> Found:
        """The same of the entities to which the places belong; -1 = to none."""
        gathered = _nothing(self._terms, size)
        for reduction, values in gathered.items():
            gather = adding.gathered if self._terms[reduction].kind == "sum" else adding.gathered_least
            gather(owner, self._found[reduction], values)
        found = _told(self._terms, gathered)
        for keys in self._keys:
            found |= keys.counted(owner, size)
        return found


class _Keys:
    """The rows of different keys, kept until it is asked how many there are: those of many places are not their sum."""

    def __init__(self, terms: Mapping[ops.Node, Term]) -> None:
        self._terms = terms
        self._pieces: list[tuple[NDArray[Any], ...]] = []

    def keep(self, place: NDArray[np.int32], columns: Found) -> None:
        """Keep the rows that fulfil any condition, which of them as bits."""
        bits = np.zeros(len(place), dtype=np.int64)
        for bit, term in enumerate(self._terms.values()):
            adding.mark(bits, columns[term.condition], bit)
        kept = np.flatnonzero(bits)
        (number,) = {term.number for term in self._terms.values()}
        self._pieces.append((place[kept], columns[number][kept], bits[kept]))

    def join(self) -> None:
        """Lay the rows kept one after the other."""
        nothing = tuple(np.empty(0, dtype) for dtype in (np.int32, np.int64, np.int64))
        self._pieces = [tuple(np.concatenate(parts) for parts in zip(nothing, *self._pieces, strict=True))]

    def counted(self, owner: NDArray[np.int32] | None, size: int) -> Found:
        """How many different keys there are at each place, or at each owner of places, after `join`."""
        ((place, key, bits),) = self._pieces
        place = place if owner is None else owner[place]
        found = np.zeros((len(self._terms), size), dtype=np.int32)
        adding.count_distinct(place, key, bits, found)
        return dict(zip(self._terms, found, strict=True))


def _alike(terms: Mapping[ops.Node, Term]) -> Iterator[Mapping[ops.Node, Term]]:
    """The terms that tell the same keys apart, as many together as there are bits for their conditions."""
    for number in dict.fromkeys(term.number for term in terms.values() if term.kind == "distinct"):
        same = [(node, term) for node, term in terms.items() if term.kind == "distinct" and term.number == number]
        for first in range(0, len(same), MOST_CONDITIONS):
            yield dict(same[first : first + MOST_CONDITIONS])


def _nothing(terms: Mapping[ops.Node, Term], size: int) -> dict[ops.Node, NDArray[Any]]:
    """What no rows come to at every place, but for different keys; one array holds all of a type, in larger pages."""
    counts = [reduction for reduction, term in terms.items() if term.number is None]
    numbers = [reduction for reduction, term in terms.items() if term.number is not None and term.kind != "distinct"]
    found: dict[ops.Node, NDArray[Any]] = dict(zip(counts, np.zeros((len(counts), size), np.int32), strict=True))
    found |= zip(numbers, np.zeros((len(numbers), size)), strict=True)
    for reduction in numbers:
        if terms[reduction].kind != "sum":
            found[reduction].fill(np.inf)
    return found


def _sign(term: Term) -> int:
    """The greatest value is the least of the negative ones."""
    return -1 if term.kind == "greatest" else 1


def _told(terms: Mapping[ops.Node, Term], found: Found) -> dict[ops.Node, NDArray[Any]]:
    """The values in half the memory where no digit is lost, as with most sums of units and days: SKUs are many."""
    numbers = {reduction: values for reduction, values in found.items() if values.dtype == np.float64}
    halves = np.empty((len(numbers), max(map(len, numbers.values()), default=0)), dtype=np.float32)
    told = dict(found)
    for half, (reduction, values) in zip(halves, numbers.items(), strict=True):
        sign, nothing = _sign(terms[reduction]), np.nan if terms[reduction].kind == "sum" else np.inf
        told[reduction] = half
        if not adding.told(values, sign, nothing, half):
            told[reduction] = np.empty(len(values))
            adding.told(values, sign, nothing, told[reduction])
    return told


class _Question(NamedTuple):
    """How to ask for rows, so many at a time: `code`, and by name the conditions and numbers, or the ages in these."""

    batches: Callable[[int], Iterable[pa.RecordBatch]]
    names: Mapping[ops.Node, str]
    ages: Mapping[ops.Node, str]


def _questions(backend: "Backend", placed: Placed, terms: Iterable[Term]) -> Sequence[_Question]:
    """How to ask for the codes or places of the rows, and for the conditions and numbers of the terms.

    What is summed and 0 in all rows of a table is left out with its conditions, as in one of two tables in a union.
    """
    questions = []
    terms = list(terms)
    read = {term.condition: age_in(term.condition) or term.condition for term in terms}
    nodes = [*read.values(), *(term.number for term in terms if term.number)]
    names = {node: f"c{place}" for place, node in enumerate(dict.fromkeys(nodes))}
    rows = placed.rows
    wide = rows.select(code=rows[placed.column], **{name: node.to_expr() for node, name in names.items()})
    for part in _tables_of(wide.op()):
        zero = {node for node, name in names.items() if _is_zero(part.values[name])}
        told = [term for term in terms if not (term.kind == "sum" and term.number in zero)]
        conditions = dict.fromkeys(term.condition for term in told)
        wanted = dict.fromkeys([*(read[node] for node in conditions), *(term.number for term in told if term.number)])
        table = part.to_expr()
        narrow = table.select("code", **{names[node]: table[names[node]].cast(_array_type(node)) for node in wanted})
        ages = {node: names[read[node]] for node in conditions if node != read[node]}
        questions.append(_Question(deferred_batches(backend, narrow), {node: names[node] for node in wanted}, ages))
    return questions


def _batches(question: _Question) -> Iterator[tuple[NDArray[Any], Found]]:
    """The codes, batch by batch, and the conditions (int8) and numbers."""
    for batch in question.batches(ROWS_PER_BATCH):
        columns = {node: _filled(batch[name]) for node, name in question.names.items()}
        of_age = {node: _of_age(node, batch[name]) for node, name in question.ages.items()}
        yield batch["code"].to_numpy(), columns | of_age


def _tables_of(wide: ops.Project) -> list[ops.Project]:
    """The projection of each table whose rows stand one after the other in those of `wide`."""
    below = wide.parent
    while isinstance(below, ops.Project | ops.Filter):
        below = below.parent
    if not isinstance(below, ops.Union) or below.distinct:
        return [wide]
    return [part for side in (below.left, below.right) for part in _tables_of(wide.replace({below: side}))]


def _is_zero(node: ops.Node) -> bool:
    origin = origin_of(node)
    return isinstance(origin, ops.Literal) and origin.value == 0


def _array_type(node: ops.Node) -> str:
    if node.dtype.is_boolean():
        return "int8"
    if is_age(node):
        return "int32"
    return "int64" if node.dtype.is_integer() else "float64"


def _filled(column: pa.Array) -> NDArray[Any]:
    """What is unknown counts nothing."""
    array: NDArray[Any] = (column.fill_null(0) if column.null_count else column).to_numpy()
    return array


def _of_age(condition: ops.Node, ages: pa.Array) -> NDArray[np.int8]:
    """Which of the ages fulfil the condition, as an unknown one never does."""
    told: NDArray[np.bool_] = fulfilled(condition, _filled(ages))
    if ages.null_count:
        told &= ages.is_valid().to_numpy(zero_copy_only=False)
    return told.view(np.int8)
