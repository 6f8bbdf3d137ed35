"""The champion is the verified model that the pointer names, or a refusal."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import UserError
from data.workspace import Workspace, write_pointer
from models.artifact import Artifact
from models.registry import (
    champion_version,
    load_champion,
    load_model,
    model_folder,
    model_versions,
    set_champion,
    store_model,
)
from tests.models.worlds import parts_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


def test_without_a_champion_the_refusal_says_what_to_run(workspace: Workspace) -> None:
    """Without a champion the refusal says what to run."""
    assert champion_version(workspace) is None
    assert model_versions(workspace) == ()
    with pytest.raises(UserError, match=r"No champion model in .*models: run `touchstone train` first\."):
        load_champion(workspace)


def test_the_crowned_model_is_the_champion_and_can_be_succeeded(workspace: Workspace, artifact: Artifact) -> None:
    """The crowned model is the champion and can be succeeded."""
    first = store_model(workspace, parts_of(artifact))
    second = store_model(workspace, replace(parts_of(artifact), card="# Second"))
    set_champion(workspace, first)
    assert load_champion(workspace).version == first
    set_champion(workspace, second)
    assert load_champion(workspace).card == "# Second"
    assert model_versions(workspace) == tuple(sorted([first, second]))


def test_keeping_a_model_does_not_crown_it(workspace: Workspace, artifact: Artifact) -> None:
    """Keeping a model does not crown it, and the refusal then says what to promote."""
    store_model(workspace, parts_of(artifact))
    assert champion_version(workspace) is None
    with pytest.raises(UserError, match="promote one of `touchstone models list`"):
        load_champion(workspace)


def test_keeping_a_model_twice_keeps_it_once_and_leaves_nothing_else(workspace: Workspace, artifact: Artifact) -> None:
    """Keeping a model twice keeps it once and leaves nothing else."""
    version = store_model(workspace, parts_of(artifact))
    assert store_model(workspace, parts_of(artifact)) == version
    assert [path.name for path in workspace.models.iterdir()] == [version]


def test_a_model_that_is_not_there_cannot_be_crowned(workspace: Workspace, artifact: Artifact) -> None:
    """A model that is not there cannot be crowned."""
    version = store_model(workspace, parts_of(artifact))
    with pytest.raises(UserError, match=f"There is no model m-000000000000 in .*; there are: {version}"):
        set_champion(workspace, "m-000000000000")
    assert champion_version(workspace) is None


def test_a_changed_model_can_neither_be_crowned_nor_score(workspace: Workspace, artifact: Artifact) -> None:
    """A changed model can neither be crowned nor score."""
    version = store_model(workspace, parts_of(artifact))
    set_champion(workspace, version)
    (model_folder(workspace, version) / "card.md").write_text("better", encoding="utf-8")
    for attempt in (lambda: set_champion(workspace, version), lambda: load_champion(workspace)):
        with pytest.raises(UserError, match=r"card\.md has changed"):
            attempt()


def test_another_model_under_the_champions_name_is_refused(workspace: Workspace, artifact: Artifact) -> None:
    """Another model under the champions name is refused."""
    version = store_model(workspace, parts_of(artifact))
    other = store_model(workspace, replace(parts_of(artifact), card="# Other"))
    set_champion(workspace, version)
    shutil.rmtree(model_folder(workspace, version))
    model_folder(workspace, other).rename(model_folder(workspace, version))
    with pytest.raises(UserError, match=f"is {other}, not {version}: its files and checksums were replaced"):
        load_champion(workspace)


@pytest.mark.parametrize("version", ["", "..", "../../etc", "m-XYZ", "m-0123456789abc", "m-0123456789a\n", "CHAMPION"])
def test_what_is_no_version_is_refused(workspace: Workspace, version: str) -> None:
    """What is no version is refused."""
    with pytest.raises(UserError, match=r"is not a model version\. Give one of `touchstone models list`"):
        load_model(workspace, version)


def test_a_pointer_to_nonsense_is_refused(workspace: Workspace) -> None:
    """A pointer to nonsense is refused."""
    write_pointer(workspace.models / "CHAMPION", "../lake")
    with pytest.raises(UserError, match=r"'../lake' is not a model version"):
        load_champion(workspace)
