"""The verifier of docs/verify.md, as it stands there: 40 lines that need the public key alone."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from data.workspace import Workspace
from serving.trust.answer import Fall, trust_answer
from serving.trust.credential import credential, sign
from serving.trust.keys import SigningKeys, jwk_set, signing_key
from serving.trust.status_list import status_list_credential
from serving.trust.summary import public_summary
from tests.serving.conftest import ROOT
from tests.serving.trust.test_summary import ISSUER, LETTERS, LISTING, POLICY, TEST, code_of

MOST_LINES = 40


@dataclass(frozen=True)
class Files:
    """What a shop keeps: the verifier, a copy, the keys and the status list."""

    verifier: Path
    copy: Path
    keys: Path
    status: Path

    def run(self) -> tuple[int, str]:
        """What the verifier ends with and says."""
        command = [sys.executable, "-I", str(self.verifier), str(self.copy), str(self.keys), str(self.status)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.returncode, (ended.stdout + ended.stderr).strip()


def verifier_text() -> str:
    """The block of Python of the page."""
    (text,) = (ROOT / "docs" / "verify.md").read_text("utf-8").split("```python\n")[1:]
    return text.partition("```")[0]


def files(folder: Path, signed_at: datetime, withdrawn: bool = False) -> Files:
    """A copy signed at a moment and a status list of now."""
    keys, now = SigningKeys(Workspace(folder)), datetime.now(UTC)
    key = signing_key(keys.all() or (keys.create(signed_at),))
    row = replace(code_of(public_summary(LISTING, TEST, POLICY, LETTERS)), issued_at=signed_at.isoformat())
    answer = replace(trust_answer(row, Fall(), signed_at, POLICY), checked_at=signed_at)
    ended = np.array([row.status_index] if withdrawn else [row.status_index + 1])
    contents = {
        "verify.py": verifier_text(), "copy.jwt": sign(credential(answer, ISSUER, POLICY), key),
        "keys.json": json.dumps(jwk_set(keys.all(), now)),
        "status.jwt": sign(status_list_credential(ended, POLICY.least_positions, ISSUER, now, POLICY), key),
    }  # fmt: skip
    for name, text in contents.items():
        (folder / name).write_text(text, "utf-8")
    return Files(*(folder / name for name in contents))


def test_it_is_short() -> None:
    """So that it can be read before it is run."""
    assert len(verifier_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize(("hours", "withdrawn", "expected"), [
    (0, False, (0, "passed 7777-7777-7777-7777X")), (0, True, (1, "Not good: withdrawn or expired since")),
    (25, False, (1, "Not good: signed in the future, or too long ago")),
    (-1, False, (1, "Not good: signed in the future, or too long ago")),
])  # fmt: skip
def test_it_checks_dates_and_the_status_list(
    tmp_path: Path, hours: int, withdrawn: bool, expected: tuple[int, str]
) -> None:
    signed_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=hours)
    assert files(tmp_path, signed_at, withdrawn).run() == expected


def test_it_refuses_what_was_altered_and_what_another_signed(tmp_path: Path) -> None:
    """In the payload, in the signature, to another writing of the same signature, and keys that are not ours."""
    kept = files(tmp_path, datetime.now(UTC).replace(microsecond=0))
    copy = kept.copy.read_text("utf-8")
    for place in (copy.index(".") + 20, -20, -1):
        position = place % len(copy)
        changed = "B" if copy[position] != "B" else "C"
        kept.copy.write_text(copy[:position] + changed + copy[position + 1 :], "utf-8")
        code, said = kept.run()
        assert (code, said.startswith("Not good: ")) == (1, True), said
    kept.copy.write_text(copy, "utf-8")
    others = SigningKeys(Workspace(tmp_path / "others"))
    others.create(datetime.now(UTC))
    kept.keys.write_text(json.dumps(jwk_set(others.all(), datetime.now(UTC))), "utf-8")
    assert kept.run()[0] == 1
