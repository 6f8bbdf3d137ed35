"""What holds for every test."""

from hypothesis import settings

# A law is about answers, not about time, which other work on the machine may take.
settings.register_profile("house", parent=settings(), deadline=None)
settings.load_profile("house")
