"""One small model for all tests of the room."""

from pathlib import Path

import pytest

from models.artifact import Artifact
from tests.models.worlds import tiny_artifact


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A small artifact, written and read back."""
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    return tiny_artifact(folder)
