"""Reviews of the sample marketplace: of buyers, bought ones, and ones that rivals planted."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.synthetic.customer_events import Sales
from data.synthetic.ground_truth import World
from data.synthetic.randomness import (
    NUMBER_SPAN,
    Floats,
    Integers,
    Truths,
    choose,
    format_days,
    identifiers,
    pick,
    random_stream,
)
from data.synthetic.skus import markets, sku_ids
from data.synthetic.vocabulary import (
    LANGUAGES,
    TONE,
    TONES,
    categories,
    hazards,
    per_category,
    phrases,
    topic_kind,
    topics,
)

# en, de, fr, es, ja, zh in each market (EU, US, UK, CA, AU).
SPOKEN = np.array([
    [0.16, 0.36, 0.28, 0.20, 0.00, 0.00], [0.82, 0.00, 0.00, 0.12, 0.02, 0.04], [0.97, 0.01, 0.01, 0.00, 0.00, 0.01],
    [0.68, 0.00, 0.25, 0.00, 0.01, 0.06], [0.84, 0.00, 0.00, 0.00, 0.07, 0.09],
])  # fmt: skip
# One to five stars: ordinary buyers, and buyers who were harmed.
ORDINARY_STARS, HARMED_STARS = (0.09, 0.05, 0.09, 0.16, 0.61), (0.62, 0.17, 0.08, 0.05, 0.08)
REVIEW_SCALE = 0.95
HARMED_REVIEW_FACTOR = 5.0
FAKES_PER_REVIEW = 0.8
ATTACKED_SHARE, ATTACK_SIZE = 0.0030, 8
PRESET_SHARE, SECOND_SENTENCE, OPENING, CLOSING = 0.10, 0.55, 0.45, 0.30
# Of 100 real incident narratives the phrases of features/text miss some 40: these buyers say that it is bad, not what.
VEILED_SHARE, AFTERMATH = 0.40, 0.5
COPYING_RIVALS = 0.5
WORDS_OF_HARM = {"negation": 0.020, "figurative": 0.008, "hypothetical": 0.006, "elsewhere": 0.004}
ORIGINS = ("ordinary", "harmed", "mistaken", "bought", "planted")
ORIGIN = {origin: code for code, origin in enumerate(ORIGINS)}
NO_COPY = -1


@dataclass(frozen=True)
class ReviewDraws:
    """Reviews before they are written: the sale they follow, days since, stars, first sentence kind, verification.

    `origin` numbers ORIGINS; opinions of one `copied` number other than NO_COPY share their words.
    """

    source: Integers
    delay: Integers
    stars: Integers
    kind: Integers
    verified: Floats
    origin: Integers
    copied: Integers

    def __len__(self) -> int:
        return len(self.source)


def reviews_tables(world: World, sales: Sales, chunk: int) -> tuple[pa.Table, pa.Table]:
    """The contract's reviews of these sales, those visible by the last day, and the truth of each.

    The truth (review_id, origin, says: the tone or the topic of harm, is_harm: whether it tells of a harm that this
    product did, copied: whether it shares its words with another on purpose) is for tests and evaluation alone.
    """
    rng = random_stream(world.seed, "reviews", chunk)
    parts = [
        _draw_ordinary_reviews(rng, world, sales),
        _draw_harm_reviews(rng, world, sales),
        _draw_bought_reviews(rng, world, sales),
        _draw_planted_reviews(rng, sales),
    ]
    opinions = ReviewDraws(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ReviewDraws.__dataclass_fields__)
    )
    happened = sales.day[opinions.source] + opinions.delay
    known = happened + rng.integers(0, 3, len(opinions))
    selected = rng.permutation(np.flatnonzero(known <= world.period.until))
    row = sales.row[opinions.source[selected]]
    language, text = _draw_language_and_text(
        rng, choose(rng, np.cumsum(SPOKEN, axis=1), world.listings.market[row]), opinions, selected
    )
    names = identifiers("V", chunk * NUMBER_SPAN + np.arange(len(selected)), world.seed)
    reviews = pa.table({
        "review_id": names,
        "sku_id": sku_ids(world, row),
        "market": markets(world, row),
        "happened_on": format_days(happened[selected]),
        "known_on": format_days(known[selected]),
        "rating": opinions.stars[selected],
        "text": text,
        "language": pa.array(LANGUAGES).take(pa.array(language)),
        "verified": pa.array(rng.random(len(selected)) < opinions.verified[selected]),
    })  # fmt: skip
    truth = pa.table({
        "review_id": names,
        "origin": pa.array(ORIGINS).take(pa.array(opinions.origin[selected])),
        "says": pa.array([*TONES, *topics()]).take(pa.array(opinions.kind[selected])),
        "is_harm": opinions.origin[selected] == ORIGIN["harmed"],
        "copied": opinions.copied[selected] != NO_COPY,
    })  # fmt: skip
    return reviews, truth


def _rate(world: World, sales: Sales) -> Floats:
    category = world.products.category[world.listings.product[sales.row]]
    return REVIEW_SCALE * per_category([c.reviews_per_unit for c in categories()])[category]


def _draw_delays(rng: np.random.Generator, size: int) -> Integers:
    """Days from the order to the review: a week's delivery, then a tail."""
    return 4 + (rng.exponential(18.0, size)).astype(np.int64)


def _draw_ordinary_reviews(rng: np.random.Generator, world: World, sales: Sales) -> ReviewDraws:
    """Reviews of ordinary buyers; goods of bad suppliers get fewer stars."""
    source = np.repeat(np.arange(len(sales)), rng.poisson(sales.units * _rate(world, sales)))
    size = len(source)
    supplier = world.products.supplier[world.listings.product[sales.row[source]]]
    quality = world.suppliers.quality[supplier, 0]
    stars = 1 + np.searchsorted(np.cumsum(ORDINARY_STARS)[:-1], rng.random(size) ** np.exp(0.07 * quality))
    kind = np.where(stars >= 4, TONE["praise"], np.where(stars == 3, TONE["neutral"], TONE["complaint"]))
    chance = rng.random(size)
    for tone, share in WORDS_OF_HARM.items():
        kind = np.where((chance >= 0) & (chance < share) & (stars >= 3), TONE[tone], kind)
        chance = chance - share
    kind = np.where(rng.random(size) < PRESET_SHARE * 1.15, TONE["preset"], kind)
    return _review_draws("ordinary", source, _draw_delays(rng, size), stars, kind, 0.9)


def _draw_harm_reviews(rng: np.random.Generator, world: World, sales: Sales) -> ReviewDraws:
    """Reviews of harmed buyers; some complain of a harm that is not the product's fault."""
    rate = np.minimum(HARMED_REVIEW_FACTOR * _rate(world, sales), 1.0)
    own = np.repeat(np.arange(len(sales)), rng.binomial(sales.own_harm, rate))
    other = np.repeat(np.arange(len(sales)), rng.binomial(sales.other_harm, rate))
    source = np.concatenate([own, other])
    size = len(source)
    hazard = np.where(
        np.arange(size) < len(own),
        world.products.hazard[world.listings.product[sales.row[source]]],
        rng.integers(0, len(hazards()), size),
    )
    stars = 1 + pick(rng, HARMED_STARS, size)
    kind = np.where(rng.random(size) < VEILED_SHARE, TONE["veiled"], topic_kind()[hazard])
    mistaken = _review_draws("mistaken", source, _draw_delays(rng, size), stars, kind, 0.92)
    return replace(mistaken, origin=np.where(np.arange(size) < len(own), ORIGIN["harmed"], mistaken.origin))


def _draw_bought_reviews(rng: np.random.Generator, world: World, sales: Sales) -> ReviewDraws:
    """Bought praise, for the few suppliers who buy it."""
    faking = world.suppliers.faking[world.products.supplier[world.listings.product[sales.row]]]
    rate = _rate(world, sales) * FAKES_PER_REVIEW * faking
    source = np.repeat(np.arange(len(sales)), rng.poisson(sales.units * rate))
    size = len(source)
    return _review_draws(
        "bought", source, rng.integers(1, 8, size), np.full(size, 5), np.full(size, TONE["fake"]), 0.45
    )


def _draw_planted_reviews(rng: np.random.Generator, sales: Sales) -> ReviewDraws:
    """Bursts of invented harm that rivals plant on a few listings, whatever the product is like; half are copies."""
    listed = np.unique(sales.row, return_index=True)[1]
    struck = listed[rng.random(len(listed)) < ATTACKED_SHARE]
    times = rng.poisson(ATTACK_SIZE, len(struck))
    source, burst = np.repeat(struck, times), np.repeat(np.arange(len(struck)), times)
    size = len(source)
    kind = topic_kind()[rng.integers(0, len(hazards()), size)]
    copying = rng.random(len(struck)) < COPYING_RIVALS
    planted = _review_draws("planted", source, rng.integers(5, 10, size), np.ones(size, dtype=np.int64), kind, 0.1)
    return replace(planted, copied=np.where(copying[burst], burst, NO_COPY))


def _review_draws(
    origin: str, source: Integers, delay: Integers, stars: Integers, kind: Integers, verified: float
) -> ReviewDraws:
    """Draws of one origin, none copied; `verified` is the probability of a verified purchase."""
    size = len(source)
    return ReviewDraws(
        source, delay, stars, kind, np.full(size, verified), np.full(size, ORIGIN[origin]), np.full(size, NO_COPY)
    )


def _draw_language_and_text(
    rng: np.random.Generator, language: Integers, opinions: ReviewDraws, selected: Integers
) -> tuple[Integers, pa.Array]:
    """Language and text of each selected review; copies take both from the first of their burst."""
    text = _draw_texts(rng, language, opinions.kind[selected], opinions.stars[selected])
    copied = opinions.copied[selected]
    first = np.arange(len(selected))
    bursts, start, burst = np.unique(copied, return_index=True, return_inverse=True)
    of_burst = bursts[burst] != NO_COPY
    first[of_burst] = start[burst][of_burst]
    return language[first], text.take(pa.array(first))


def _draw_texts(rng: np.random.Generator, language: Integers, kind: Integers, stars: Integers) -> pa.Array:
    """One to four sentences; preset phrases and fakes stand alone."""
    size = len(kind)
    number = rng.integers(0, 1 << 20, size)
    first = phrases().pick(language, kind, number)
    tone = np.where(stars >= 4, TONE["praise"], np.where(stars == 3, TONE["neutral"], TONE["complaint"]))
    tone = np.where((kind >= len(TONES)) & (rng.random(size) < AFTERMATH), TONE["aftermath"], tone)
    # One or two further on, so that no review says the same sentence twice: no list of sentences is shorter than three.
    second = phrases().pick(language, tone, number + rng.integers(1, 3, size))
    alone = (kind == TONE["preset"]) | (kind == TONE["fake"])
    second = _drop_sentences(rng, second, alone, SECOND_SENTENCE)
    swapped = pa.array((rng.random(size) < 0.5) & (tone != TONE["aftermath"]))
    opening, closing = (
        _drop_sentences(
            rng, phrases().pick(language, np.full(size, TONE[place]), rng.integers(0, 1 << 20, size)), alone, share
        )
        for place, share in (("opening", OPENING), ("closing", CLOSING))
    )
    options = pc.JoinOptions(null_handling="skip")
    start, end = pc.if_else(swapped, second, first), pc.if_else(swapped, first, second)
    return pc.binary_join_element_wise(opening, start, end, closing, " ", options=options)


def _drop_sentences(rng: np.random.Generator, sentences: pa.Array, alone: Truths, share: float) -> pa.Array:
    """The sentences of a share of the reviews, none of those that stand alone."""
    left_out = alone | (rng.random(len(sentences)) >= share)
    return pc.if_else(pa.array(left_out), pa.scalar(None, pa.string()), sentences)
