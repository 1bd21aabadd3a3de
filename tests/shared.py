"""Data that lies beside the repository and is no part of it."""

import os
from pathlib import Path

import pytest


def shared(path: str) -> Path:
    """``path`` in the shared folder (LEMMATA_SHARED, else ``../shared`` of the repository); skips without it."""
    root = os.environ.get("LEMMATA_SHARED") or Path(__file__).parents[2] / "shared"
    found = Path(root) / path
    if not found.exists():
        pytest.skip(f"needs the shared data {path} (set LEMMATA_SHARED)")
    return found
