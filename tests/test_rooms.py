"""The rooms are this repository's own packages, and nobody else's of the same name."""

import importlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("data", "features", "models", "sampling", "serving", "training")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_resolves_inside_this_repository(room: str) -> None:
    """An installed package of a room's name never shadows the room."""
    origin = importlib.import_module(room).__file__
    assert origin is not None
    assert Path(origin).resolve().parent == REPOSITORY / room


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_how_to_add_its_next_member_in_at_most_eight_steps(room: str) -> None:
    """Each room has a README whose numbered steps end by the eighth."""
    lines = (REPOSITORY / room / "README.md").read_text(encoding="utf-8").splitlines()
    steps = [line for line in lines if line[:1].isdigit() and ". " in line[:4]]
    assert 1 <= len(steps) <= 8
    assert not [line for line in lines if line.startswith("9. ")]


def test_the_readme_has_at_most_ninety_lines() -> None:
    """The README stays short enough to be read."""
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
