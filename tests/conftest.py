"""Settings of all tests, and their order."""

import pytest
from hypothesis import settings

# A busy machine is slow, and no test here is about speed.
settings.register_profile("lemmata", deadline=None)
settings.load_profile("lemmata")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
