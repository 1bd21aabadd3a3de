"""Data that lies beside the repository and is no part of it."""

import os
from pathlib import Path

import pytest


def shared(path: str) -> Path:
    """``path`` in the shared folder (LEMMATA_SHARED, else ``../shared`` of the repository); skips without it."""
    found = shared_if_there(path)
    if found is None:
        pytest.skip(f"needs the shared data {path} (set LEMMATA_SHARED)")
    return found


def shared_if_there(path: str) -> Path | None:
    """``path`` in the shared folder; None where it is not there."""
    found = Path(os.environ.get("LEMMATA_SHARED") or Path(__file__).parents[2] / "shared") / path
    return found if found.exists() else None
