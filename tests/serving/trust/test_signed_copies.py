"""Signed copies: what was altered, is old, of another product or of a key that was retired never verifies."""

import json
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UnavailableError, UserError
from data.workspace import Workspace
from serving.trust.answer import Fall, trust_answer
from serving.trust.credential import Issuer, canonical_json, credential, sign
from serving.trust.keys import SigningKey, SigningKeys, jwk_set, signing_key
from serving.trust.status_list import decode_bits, encode_bits, status_list_credential
from serving.trust.store import list_length
from serving.trust.summary import public_summary
from serving.trust.verification import CopyError, VerifiedCopy, verify_copy
from tests.serving.console.conftest import SHOP_NOW
from tests.serving.trust.test_summary import ISSUER, LETTERS, LISTING, POLICY, TEST, code_of

CODE = "0000-0000-0000-00000"


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    """A folder with one key."""
    folder = SigningKeys(Workspace(tmp_path))
    folder.create(SHOP_NOW)
    return folder


def copy_of(keys: SigningKeys, code: str = CODE) -> str:
    """A signed copy of a passed test, of now."""
    row = replace(code_of(public_summary(LISTING, TEST, POLICY, LETTERS)), code=code)
    return sign(credential(trust_answer(row, Fall(), SHOP_NOW, POLICY), ISSUER, POLICY), signing_key(keys.all()))


def verify(text: str, keys: Sequence[SigningKey], now: datetime = SHOP_NOW, issuer: Issuer = ISSUER) -> VerifiedCopy:
    """The check of a copy."""
    return verify_copy(text, keys, issuer, now, POLICY)


def test_a_copy_verifies_and_says_what_was_checked(keys: SigningKeys) -> None:
    """However it was broken into lines when it was pasted."""
    copy = copy_of(keys)
    checked = verify("\n".join(copy[start : start + 64] for start in range(0, len(copy), 64)), keys.all())
    assert (checked.code, checked.state, checked.product) == (CODE, "passed", "Wooden train")
    assert checked.checks == (
        f"The signature is ours, by the key {keys.all()[0].kid[:12]}, and no byte was changed.",
        "It was signed at 11 June 2026 08:00 UTC and is good until 12 June 2026 08:00 UTC.",
        f"It is of the code {CODE}, and of no other product.",
    )


def test_no_copy_with_a_flipped_byte_verifies(keys: SigningKeys) -> None:
    """Every byte of it, to every neighbour by one bit: header, payload, signature and full stops."""
    copy, known = copy_of(keys).encode(), keys.all()
    for place in range(len(copy)):
        for bit in (1, 2, 4, 32) if place % 7 else (1, 2, 4, 8, 16, 32, 64, 128):
            altered = bytes([*copy[:place], copy[place] ^ bit, *copy[place + 1 :]])
            with pytest.raises(CopyError):
                verify(altered.decode("latin-1"), known)


def test_a_copy_of_one_product_is_none_of_another(keys: SigningKeys) -> None:
    """Its code is in what was signed; the payload of one does not go with the signature of another."""
    one, other = copy_of(keys), copy_of(keys, "7777-7777-7777-7777W")
    assert verify(one, keys.all()).code == CODE
    mixed = ".".join([*other.split(".")[:2], one.split(".")[2]])
    with pytest.raises(CopyError, match="It was altered"):
        verify(mixed, keys.all())


@pytest.mark.parametrize(("minutes", "sentence"), [
    (-6, "which is still to come"), (-5, None), (0, None), (24 * 60 + 5, None), (24 * 60 + 6, "was good until"),
])  # fmt: skip
def test_dates_hold_within_the_skew_of_clocks(keys: SigningKeys, minutes: int, sentence: str | None) -> None:
    """Five minutes are let pass, no more."""
    now, copy = SHOP_NOW + timedelta(minutes=minutes), copy_of(keys)
    if sentence is None:
        assert verify(copy, keys.all(), now).code == CODE
        return
    with pytest.raises(CopyError, match=sentence):
        verify(copy, keys.all(), now)


def test_a_retired_key_is_published_until_its_last_copies_expired(keys: SigningKeys) -> None:
    """Then its copies are refused with that reason; its private part is gone at once."""
    copy, (key,) = copy_of(keys), keys.all()
    retired = keys.retire(key.kid, SHOP_NOW, POLICY)
    assert retired.private is None
    assert key.private is not None
    assert key.private not in (keys.folder / f"{key.kid}.json").read_text("utf-8")
    assert verify(copy, keys.all(), SHOP_NOW + timedelta(hours=24)).code == CODE
    assert jwk_set(keys.all(), SHOP_NOW + timedelta(hours=24)) == {"keys": [key.jwk]}
    late = SHOP_NOW + timedelta(hours=24, minutes=6)
    assert jwk_set(keys.all(), late) == {"keys": []}
    with pytest.raises(CopyError, match="Its key was retired on 2026-06-11"):
        verify(copy, keys.all(), late)
    with pytest.raises(UnavailableError, match="touchstone trust key new"):
        signing_key(keys.all())
    with pytest.raises(UserError, match="was retired on 2026-06-11"):
        keys.retire(key.kid, SHOP_NOW, POLICY)
    keys.retire(key.kid, SHOP_NOW, POLICY, compromised=True)
    with pytest.raises(CopyError, match="was retired"):
        verify(copy, keys.all(), SHOP_NOW + timedelta(seconds=1))


def test_private_keys_are_for_the_service_alone(keys: SigningKeys) -> None:
    (path,) = keys.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "no signed copy"), ("a.b", "no signed copy"), ("a.b.c", "no signed copy|not signed by us"),
    ("x" * 20_000 + "..", "no signed copy"), ("\N{SNOWMAN}.b.c", "no signed copy"),
])  # fmt: skip
def test_what_is_no_copy_is_said_to_be_none(keys: SigningKeys, text: str, sentence: str) -> None:
    with pytest.raises(CopyError, match=sentence):
        verify(text, keys.all())


def test_copies_of_others_are_refused(keys: SigningKeys, tmp_path: Path) -> None:
    """Signed by another key, or issued for another service; and our own status list is no summary."""
    others = SigningKeys(Workspace(tmp_path / "other"))
    others.create(SHOP_NOW)
    with pytest.raises(CopyError, match="not signed by us"):
        verify(copy_of(others), keys.all())
    with pytest.raises(CopyError, match="another service"):
        verify(copy_of(keys), keys.all(), issuer=Issuer("https://other.example", "Other"))
    listed = status_list_credential(np.array([1]), 8, ISSUER, SHOP_NOW, POLICY)
    with pytest.raises(CopyError, match="no test summary"):
        verify(sign(listed, signing_key(keys.all())), keys.all())


@given(st.sets(st.integers(0, 2**17 - 1), max_size=50))
def test_the_status_list_holds_a_bit_for_each_position(ended: set[int]) -> None:
    """Position 0 is the first bit of the first byte."""
    bits = decode_bits(encode_bits(np.array(sorted(ended), np.int64), 2**17))
    assert set(np.flatnonzero(bits).tolist()) == ended
    assert len(bits) == 2**17


@given(st.integers(0, 10_000_000))
def test_the_status_list_is_never_more_than_half_full(codes: int) -> None:
    length = list_length(codes, POLICY)
    assert length >= max(2 * (codes + 1), 131_072)
    assert length & (length - 1) == 0


def test_the_same_statement_has_the_same_bytes() -> None:
    """RFC 8785: keys in order, no spaces, texts as they are."""
    given_value = {"b": '\u20ac\n"', "a": [1, True, {"z": "ö", "y": None}]}
    assert canonical_json(given_value) == '{"a":[1,true,{"y":null,"z":"ö"}],"b":"\u20ac\\n\\""}'.encode()
    assert json.loads(canonical_json(given_value)) == given_value
