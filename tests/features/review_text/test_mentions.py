"""Mentions: what speaks of a hazard of the product, and the families of sentences that only seem to."""

from functools import cache

import polars as pl
import pytest

from features.review_text.classifier import COUNTS_FROM, read_model
from features.review_text.classifier_training import training_sentences
from features.review_text.hazards import hazards
from features.review_text.lexicon import phrases
from features.review_text.mentions import Mention, find_mentions

# None of these sentences stands in the marketplace or in training_sentences.toml.
TOLD = [
    ("en", "fire_electric", "Ten minutes on the charger and the battery exploded on my desk."),
    ("en", "fire_electric", "There was a burning smell and then I saw smoke coming out of the plug."),
    ("en", "burn", "The lid popped and it scalded my arm."),
    ("en", "choking_small_parts", "The button eyes came off in my daughter's mouth."),
    ("en", "sharp_cut", "I sliced my thumb on the metal edge."),
    ("en", "chemical_skin", "My son broke out in hives after wearing it."),
    ("en", "fall_collapse", "The stool collapsed under me."),
    ("en", "ingestion", "The magnets fell out and he swallowed a magnet."),
    ("en", "ineffective_protection", "The smoke alarm did not go off during the test."),
    ("en", "counterfeit", "It is a fake, the certificate is a fake certificate."),
    ("en", "not_as_described", "Not as described at all."),
    ("en", "broken_on_arrival", "Arrived broken in three pieces."),
    ("en", "missing_warnings", "There are no instructions in the box."),
    ("de", "fire_electric", "Nach einer Stunde hat das Netzteil Feuer gefangen."),
    ("de", "chemical_skin", "Meine Tochter bekam einen Ausschlag am Hals."),
    ("fr", "fire_electric", "La multiprise a pris feu hier soir."),
    ("fr", "sharp_cut", "Ma fille s'est coupée avec le couvercle."),
    ("es", "fire_electric", "El enchufe empezó a echar humo y chispas."),
    ("es", "burn", "Me quemé los dedos con la tapa."),
    ("ja", "fire_electric", "電池を入れたら煙が出て配線が焦げました。"),
    ("zh", "fire_electric", "充电宝爆炸了。"),
    ("zh", "fire_electric", "这个插座漏电。"),
]
# The families of DOMAIN, section 3.3.
NOT_MEANT = {
    "negation": [
        ("en", "It doesn't have small parts that can be swallowed by a toddler."),
        ("en", "There were no issues with mold at all."),
        ("en", "It never overheated, not even once."),
        ("de", "Das Ladegerät überhitzt nicht."),
        ("fr", "Il n'y a aucune odeur chimique."),
        ("es", "No tiene bordes afilados."),
        ("ja", "肌がかぶれることはありません。"),
        ("zh", "充电一晚上没有冒烟。"),
    ],
    "figurative": [
        ("en", "His world is shattered when he finds the letter."),
        ("en", "Got shocked about the outstanding performances."),
        ("zh", "客服的态度差到爆炸了。"),
    ],
    "other sense": [
        ("en", "The melted crayon art turned out great."),
        ("en", "Knitting with it is easy, the stitches stay neat."),
        ("en", "The silicone mold gives a clean shape."),
        ("de", "Der Käse ist schön geschmolzen."),
        ("zh", "屏幕有划伤。"),
    ],
    "hypothetical": [
        ("en", "I worry it might catch fire one day."),
        ("de", "Ich habe Sorge, dass es einen Kurzschluss geben könnte."),
        ("fr", "J'ai peur qu'il prenne feu."),
        ("es", "Me da miedo que explote o prenda fuego."),
        ("ja", "発火しそうで心配です。"),
        ("zh", "担心会着火。"),
    ],
    "other product": [
        ("en", "My previous charger caught fire, this one is great."),
        ("de", "Mein altes Kabel ist verschmort, das hier ist gut."),
        ("zh", "以前的充电宝起火了。"),
    ],
    "intended function": [
        ("en", "The gopher trap works by suffocation of the animal."),
        ("en", "The flames in the electric fireplace look real."),
    ],
    "remedy": [
        ("en", "This cream cured the itchy rash I had for years."),
        ("ja", "これを塗ったら湿疹が治りました。"),
        ("zh", "用了以后过敏好了。"),
    ],
    "stain or leak": [("ja", "ボトルの液漏れが少しありました。")],
}


@cache
def all_likely() -> dict[str, list[Mention]]:
    """The likely mentions of every sentence above, read together."""
    told = [(language, text) for language, _, text in TOLD]
    cases = [*told, *(case for cases in NOT_MEANT.values() for case in cases)]
    forms, mentions = find_mentions(pl.Series([text for _, text in cases]), [language for language, _ in cases])
    probability = read_model().probabilities(forms, mentions)
    found: dict[str, list[Mention]] = {text: [] for _, text in cases}
    for mention, p in zip(mentions, probability, strict=True):
        if p >= COUNTS_FROM:
            found[cases[mention.text][1]].append(mention)
    return found


@pytest.mark.parametrize(("hazard", "text"), [(hazard, text) for _, hazard, text in TOLD])
def test_a_hazard_that_is_told_is_found_with_its_topic(hazard: str, text: str) -> None:
    assert hazard in {mention.hazard for mention in all_likely()[text]}


@pytest.mark.parametrize(
    "text", [text for cases in NOT_MEANT.values() for _, text in cases],
    ids=[f"{family}-{language}" for family, cases in NOT_MEANT.items() for language, _ in cases],
)  # fmt: skip
def test_words_of_harm_without_harm_are_not_likely_safety_hazards(text: str) -> None:
    assert [m for m in all_likely()[text] if hazards()[m.hazard].safety] == []


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("I am afraid it might catch fire.", 0),
        ("It caught fire.", 1),
        ("It burned my hand.", 2),
        ("It burned my hand and I had to see a doctor.", 3),
        ("My son choked on a piece, turned blue and stopped breathing.", 4),
    ],
)
def test_severity_rises_from_fear_to_a_life_in_danger(text: str, severity: int) -> None:
    _, mentions = find_mentions(pl.Series([text]), ["en"])
    assert max(m.severity for m in mentions if hazards()[m.hazard].safety) == severity


def test_a_mention_is_the_same_alone_as_in_company() -> None:
    texts = [text for _, _, text in TOLD]
    languages = [language for language, _, _ in TOLD]
    _, together = find_mentions(pl.Series(texts), languages)
    for number, (text, language) in list(enumerate(zip(texts, languages, strict=True)))[::7]:
        _, alone = find_mentions(pl.Series([text]), [language])
        mine = [(m.hazard, m.phrase, m.sentence, m.cues) for m in together if m.text == number]
        assert mine == [(m.hazard, m.phrase, m.sentence, m.cues) for m in alone]


def test_every_language_has_phrases_for_all_twelve_hazards() -> None:
    assert {(p.hazard, p.language) for p in phrases()} == {
        (hazard, language) for hazard in hazards() for language in ("en", "de", "fr", "es", "ja", "zh")
    }
    assert len(hazards()) == 12


def test_the_words_of_harmed_buyers_are_found_and_those_of_others_are_not() -> None:
    texts = [
        text for text in training_sentences() if text.family in ("negation", "figurative", "hypothetical", "praise")
    ]
    forms, mentions = find_mentions(pl.Series([t.text for t in texts]), [t.language for t in texts])
    probability = read_model().probabilities(forms, mentions)
    wrong = {
        m.text for m, p in zip(mentions, probability, strict=True) if p >= COUNTS_FROM and hazards()[m.hazard].safety
    }
    assert len(wrong) <= 0.02 * len(texts)
