"""An artifact is what was written, to the last bit, or it is refused."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from models.artifact import Artifact, ArtifactParts, read_artifact, require_feature_version, write_artifact
from models.scorer import Scorer
from tests.models.worlds import parts_of, tiny_matrix, tiny_parts

FILES = (
    "booster.txt", "calibration.json", "features.json", "recipe.toml", "metrics.json", "card.md",
    "reference/rates.parquet", "reference/categories.parquet", "reference/title_words.parquet",
    "reference/norms.parquet", "reference/frame.parquet", "reference/own_rates.parquet", "reference/own_features.json",
    "reference/hazards.parquet", "reference/hazard_smoothing.parquet", "reference/hazard_evidence.parquet",
)  # fmt: skip


@pytest.fixture(scope="module")
def parts() -> ArtifactParts:
    """The parts of a small model."""
    return tiny_parts()


@pytest.fixture
def folder(artifact: Artifact, tmp_path: Path) -> Path:
    """A written artifact that the test may spoil."""
    write_artifact(parts_of(artifact), tmp_path / "model")
    return tmp_path / "model"


def test_an_artifact_holds_exactly_the_files_of_its_contract(folder: Path) -> None:
    """An artifact holds exactly the files of its contract."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {*FILES, "SHA256SUMS"}


def test_a_round_trip_differs_by_nothing(parts: ArtifactParts, tmp_path: Path) -> None:
    """A round trip differs by nothing."""
    version = write_artifact(parts, tmp_path / "model")
    read = read_artifact(tmp_path / "model")
    for name in ("booster_text", "calibration", "feature_names", "feature_version", "recipe_text", "metrics", "card"):
        assert getattr(read, name) == getattr(parts, name), name
    for table in ("rates", "categories", "title_words", "norms"):
        assert read.reference[table].equals(parts.reference[table])
    assert read.version == version


def test_scores_before_and_after_a_round_trip_differ_by_zero(parts: ArtifactParts, tmp_path: Path) -> None:
    """Scores before and after a round trip differ by zero."""
    version = write_artifact(parts, tmp_path / "model")
    unwritten = Artifact(**vars(parts), version=version)
    matrix = tiny_matrix(200, seed=5)
    before, after = (Scorer(model).score(matrix) for model in (unwritten, read_artifact(tmp_path / "model")))
    for name in ("margin", "contributions", "p_fail", "p_low", "p_high", "base_value"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), name


@settings(max_examples=20, deadline=None)
@given(card=st.text(), recipe=st.text(), metric=st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_any_finite_metric_survive(
    parts: ArtifactParts, tmp_path_factory: pytest.TempPathFactory, card: str, recipe: str, metric: float
) -> None:
    """Any text and any finite metric survive."""
    folder = tmp_path_factory.mktemp("any") / "model"
    write_artifact(replace(parts, card=card, recipe_text=recipe, metrics={"auc": metric}), folder)
    read = read_artifact(folder)
    assert (read.card, read.recipe_text, read.metrics["auc"]) == (card, recipe, metric)


def test_equal_parts_give_an_equal_version_and_another_card_another(parts: ArtifactParts, tmp_path: Path) -> None:
    """Equal parts give an equal version and another card another."""
    first, second = (write_artifact(parts, tmp_path / name) for name in ("one", "two"))
    other = write_artifact(replace(parts, card="# Another"), tmp_path / "three")
    assert first == second != other


def test_the_version_is_the_digest_of_the_checksums(folder: Path) -> None:
    """The version is the digest of the checksums."""
    digest = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    assert read_artifact(folder).version == f"m-{digest[:12]}"


def test_the_checksums_are_those_of_the_sha256sum_program(folder: Path) -> None:
    """The checksums are those of the sha256sum program."""
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_refused_with_the_name_of_its_file(folder: Path, name: str) -> None:
    """One changed byte is refused with the name of its file."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} has changed. Restore the folder from a copy or train again"):
        read_artifact(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_with_its_name(folder: Path, name: str) -> None:
    """A truncated file is refused with its name."""
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{name} has changed"):
        read_artifact(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_with_its_name(folder: Path, name: str) -> None:
    """A missing file is refused with its name."""
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        read_artifact(folder)


@pytest.mark.parametrize("name", ["notes.txt", "reference/more.parquet", ".hidden", "deep/SHA256SUMS"])
def test_an_extra_file_is_refused_with_its_name(folder: Path, name: str) -> None:
    """An extra file is refused with its name."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("more", encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} is unexpected"):
        read_artifact(folder)


def test_every_wrong_file_is_named_at_once(folder: Path) -> None:
    """Every wrong file is named at once."""
    (folder / "card.md").unlink()
    (folder / "recipe.toml").write_text("seed = 9", encoding="utf-8")
    (folder / "notes.txt").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"card.md is missing, notes.txt is unexpected, recipe.toml has changed"):
        read_artifact(folder)


@pytest.mark.parametrize("sums", ["", "no checksums here\n", "\x00\xff"])
def test_broken_checksums_are_refused(folder: Path, sums: str) -> None:
    """Broken checksums are refused."""
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    with pytest.raises(UserError, match="is not a list of checksums"):
        read_artifact(folder)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """A folder without a model is refused."""
    with pytest.raises(UserError, match=r"There is no model in .*nothing: it has no SHA256SUMS"):
        read_artifact(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["calibration.json", "features.json", "metrics.json"])
@pytest.mark.parametrize("text", ["{", "{}", "[]", '"text"'])
def test_a_file_that_was_always_wrong_is_refused_although_its_checksum_agrees(
    folder: Path, name: str, text: str
) -> None:
    """A file that was always wrong is refused although its checksum agrees."""
    (folder / name).write_text(text, encoding="utf-8")
    sums = [f"{hashlib.sha256((folder / listed).read_bytes()).hexdigest()}  {listed}" for listed in sorted(FILES)]
    (folder / "SHA256SUMS").write_text("\n".join(sums), encoding="utf-8")
    if (name, text) == ("metrics.json", "{}"):
        assert read_artifact(folder).metrics == {}
    else:
        with pytest.raises(UserError):
            read_artifact(folder)


def test_metrics_that_are_not_numbers_are_refused_and_leave_nothing(parts: ArtifactParts, tmp_path: Path) -> None:
    """Metrics that are not numbers are refused and leave nothing."""
    with pytest.raises(UserError, match="metrics of a model must be JSON"):
        write_artifact(replace(parts, metrics={"auc": float("nan")}), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_previous_model_untouched(
    folder: Path, parts: ArtifactParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write leaves the previous model untouched."""
    before = read_artifact(folder).version

    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("models.artifact.write_fitted_tables", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_artifact(replace(parts, card="# New"), folder)
    assert read_artifact(folder).version == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_copied_folder_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    """A copied folder is the same model."""
    shutil.copytree(folder, tmp_path / "copy")
    assert read_artifact(tmp_path / "copy").version == read_artifact(folder).version


def test_another_feature_version_is_refused_and_the_same_is_not(artifact: Artifact) -> None:
    """Another feature version is refused and the same is not."""
    require_feature_version(artifact, artifact.feature_version)
    with pytest.raises(UserError, match=r"was trained on features f-.* but these are f-other. Train again"):
        require_feature_version(artifact, "f-other")
