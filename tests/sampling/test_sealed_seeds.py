"""The seed of the next round: one for all who ask, gone with its round."""

import json
from dataclasses import asdict
from pathlib import Path

import sqlalchemy as sa

from data.database.connection import open_database, write_transaction
from data.workspace import Workspace
from sampling.randomness import SeedCommitment
from sampling.sealed_seeds import delete_seed, next_seed


def database(folder: Path) -> sa.Engine:
    """A database of the state."""
    return open_database(f"sqlite:///{folder / 'touchstone.db'}")


def test_the_seed_waits_until_its_round_is_drawn(tmp_path: Path) -> None:
    """Whoever asks gets the same one, from another connection too; then comes another."""
    engine, workspace = database(tmp_path), Workspace(tmp_path)
    sealed = next_seed(engine, workspace)
    assert next_seed(database(tmp_path), workspace) == sealed
    with write_transaction(engine) as connection:
        delete_seed(connection, sealed.seal)
    assert next_seed(engine, workspace) != sealed


def test_a_seal_of_an_earlier_version_is_kept(tmp_path: Path) -> None:
    """It was published: the next round opens it, and the file that held it goes."""
    sealed, workspace = SeedCommitment(7, "salt"), Workspace(tmp_path)
    workspace.plans.mkdir()
    file = workspace.plans / "sealed-seed.json"
    file.write_text(json.dumps(asdict(sealed)), encoding="utf-8")
    assert next_seed(database(tmp_path), workspace) == sealed
    assert not file.exists()
