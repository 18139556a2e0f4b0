"""How property tests run here: no time limit for one example, nothing kept between runs."""

from hypothesis import settings

settings.register_profile(
    "darkroom", deadline=None, database=None, max_examples=60, derandomize=True
)
settings.load_profile("darkroom")
