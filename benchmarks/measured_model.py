"""Model of a benchmark, named by its first argument, and the domain that it was trained on."""

import sys
from pathlib import Path

from lab.domain import ModelDomain, read_domain


def measured_model() -> tuple[Path, ModelDomain]:
    """Its folder, the shipped one where none is named, and its domain. Ends the program where it has no domain."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "model" / "shipped")
    domain = read_domain(folder)
    if domain is None:
        raise SystemExit(f"{folder} has no domain.json, so that nobody knows which theorems it was trained on")
    return folder, domain
