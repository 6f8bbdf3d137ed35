"""What holds for every test."""

from hypothesis import settings

# A law is about answers, not about time, which other work on the machine may take. Sixty examples of each keep all of
# them within a quarter of an hour.
settings.register_profile("house", parent=settings(), deadline=None, max_examples=60)
settings.load_profile("house")
