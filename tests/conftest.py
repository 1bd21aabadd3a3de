"""What holds for every test."""

from hypothesis import settings

# A busy machine is slow, and no test here is about speed.
settings.register_profile("lemmata", deadline=None)
settings.load_profile("lemmata")
