"""Fixtures: one server for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.rig import Server, save_tiny, served


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny model."""
    return save_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[Server]:
    """Server with a cache for 16 contexts."""
    with served(folder, "engine.cache_tokens=32768") as running:
        yield running
