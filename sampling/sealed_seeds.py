"""The seed of the next round, stored in the database before anything is drawn with it."""

import json
import secrets

import sqlalchemy as sa

from data.database.connection import write_transaction
from data.database.schema import SEALED_SEEDS
from data.workspace import Workspace
from sampling.randomness import SeedCommitment


def next_seed(engine: sa.Engine, workspace: Workspace) -> SeedCommitment:
    """The seed that waits for the next round; drawn and stored where there is none.

    A drawing that was killed is so repeated with the same seed. A seed that an earlier version sealed as a file of the
    workspace is taken over.
    """
    with write_transaction(engine) as connection:
        row = connection.execute(sa.select(SEALED_SEEDS.c.seed, SEALED_SEEDS.c.nonce)).one_or_none()
        if row is not None:
            return SeedCommitment(*row)
        file = workspace.plans / "sealed-seed.json"
        if file.is_file():
            sealed = SeedCommitment(**json.loads(file.read_text(encoding="utf-8")))
        else:
            sealed = SeedCommitment(secrets.randbits(62), secrets.token_hex(16))
        store_seed(connection, sealed)
    file.unlink(missing_ok=True)
    return sealed


def store_seed(connection: sa.Connection, sealed: SeedCommitment) -> None:
    """Store the seed of the next round."""
    connection.execute(sa.insert(SEALED_SEEDS).values(seal=sealed.seal, seed=sealed.seed, nonce=sealed.nonce))


def delete_seed(connection: sa.Connection, seal: str) -> None:
    """Delete a stored seed: its round is drawn, and publishes it."""
    connection.execute(sa.delete(SEALED_SEEDS).where(SEALED_SEEDS.c.seal == seal))
