"""What holds for every test."""

import os

from hypothesis import settings

# A law is about answers, not about time, which other work on the machine may take. Sixty examples of each keep all of
# them within a quarter of an hour.
settings.register_profile("house", parent=settings(), deadline=None, max_examples=60)
# Where a change is judged, its laws are tried on the same examples every time, so that it is judged and not the draw;
# on a developer's machine every run looks at others.
settings.register_profile("ci", parent=settings.get_profile("house"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "house")
