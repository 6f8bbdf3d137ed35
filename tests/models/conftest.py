"""One small model for all tests of the room."""

from pathlib import Path

import pytest

from models.artifact import Artefact
from tests.models.worlds import tiny_artefact


@pytest.fixture(scope="session")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """A small artefact, written and read back."""
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    return tiny_artefact(folder)
