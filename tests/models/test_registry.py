"""The champion is the verified model that the pointer names, or a refusal."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import Refusal
from data.workspace import Workspace, point
from models.artifact import Artefact
from models.registry import champion, champion_version, crown, keep_model, model, model_folder, model_versions
from tests.models.worlds import parts_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


def test_without_a_champion_the_refusal_says_what_to_run(workspace: Workspace) -> None:
    """Without a champion the refusal says what to run."""
    assert champion_version(workspace) is None
    assert model_versions(workspace) == ()
    with pytest.raises(Refusal, match=r"No champion model in .*models: run `touchstone train` first\."):
        champion(workspace)


def test_the_crowned_model_is_the_champion_and_can_be_succeeded(workspace: Workspace, artefact: Artefact) -> None:
    """The crowned model is the champion and can be succeeded."""
    first = keep_model(workspace, parts_of(artefact))
    second = keep_model(workspace, replace(parts_of(artefact), card="# Second"))
    crown(workspace, first)
    assert champion(workspace).version == first
    crown(workspace, second)
    assert champion(workspace).card == "# Second"
    assert model_versions(workspace) == tuple(sorted([first, second]))


def test_keeping_a_model_does_not_crown_it(workspace: Workspace, artefact: Artefact) -> None:
    """Keeping a model does not crown it."""
    keep_model(workspace, parts_of(artefact))
    assert champion_version(workspace) is None


def test_keeping_a_model_twice_keeps_it_once_and_leaves_nothing_else(workspace: Workspace, artefact: Artefact) -> None:
    """Keeping a model twice keeps it once and leaves nothing else."""
    version = keep_model(workspace, parts_of(artefact))
    assert keep_model(workspace, parts_of(artefact)) == version
    assert [path.name for path in workspace.models.iterdir()] == [version]


def test_a_model_that_is_not_there_cannot_be_crowned(workspace: Workspace, artefact: Artefact) -> None:
    """A model that is not there cannot be crowned."""
    version = keep_model(workspace, parts_of(artefact))
    with pytest.raises(Refusal, match=f"There is no model m-000000000000 in .*; there are: {version}"):
        crown(workspace, "m-000000000000")
    assert champion_version(workspace) is None


def test_a_changed_model_can_neither_be_crowned_nor_score(workspace: Workspace, artefact: Artefact) -> None:
    """A changed model can neither be crowned nor score."""
    version = keep_model(workspace, parts_of(artefact))
    crown(workspace, version)
    (model_folder(workspace, version) / "card.md").write_text("better", encoding="utf-8")
    for attempt in (lambda: crown(workspace, version), lambda: champion(workspace)):
        with pytest.raises(Refusal, match=r"card\.md has changed"):
            attempt()


def test_another_model_under_the_champions_name_is_refused(workspace: Workspace, artefact: Artefact) -> None:
    """Another model under the champions name is refused."""
    version = keep_model(workspace, parts_of(artefact))
    other = keep_model(workspace, replace(parts_of(artefact), card="# Other"))
    crown(workspace, version)
    shutil.rmtree(model_folder(workspace, version))
    model_folder(workspace, other).rename(model_folder(workspace, version))
    with pytest.raises(Refusal, match=f"is {other}, not {version}: its files and checksums were replaced"):
        champion(workspace)


@pytest.mark.parametrize("version", ["", "..", "../../etc", "m-XYZ", "m-0123456789abc", "m-0123456789a\n", "CHAMPION"])
def test_what_is_no_version_is_refused(workspace: Workspace, version: str) -> None:
    """What is no version is refused."""
    with pytest.raises(Refusal, match=r"is not a model version\. Give one of `touchstone models list`"):
        model(workspace, version)


def test_a_pointer_to_nonsense_is_refused(workspace: Workspace) -> None:
    """A pointer to nonsense is refused."""
    point(workspace.models / "CHAMPION", "../lake")
    with pytest.raises(Refusal, match=r"'../lake' is not a model version"):
        champion(workspace)
