"""What holds for every test."""

import gc
import os

import pytest
from hypothesis import settings

# A law is about answers, not about time, which other work on the machine may take. Sixty examples of each keep all of
# them within a quarter of an hour.
settings.register_profile("house", parent=settings(), deadline=None, max_examples=60)
# Where a change is judged, its laws are tried on the same examples every time, so that it is judged and not the draw;
# on a developer's machine every run looks at others.
settings.register_profile("ci", parent=settings.get_profile("house"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "house")
# Reading the tests makes two million objects that all stay: looking through them for garbage takes six seconds.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker ends with one while the others have nothing left."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """From here on garbage is collected, of what the tests make alone."""
    gc.freeze()
    gc.enable()
