"""Streamlit server with the explorer's modules preloaded: `python -m explorer.server run app.py ...`.

The first page then opens without waiting for imports.
"""

from importlib import import_module
from pkgutil import iter_modules

from streamlit.web.cli import main

import explorer


def preload() -> None:
    """Imports the modules that need no running Streamlit server; those of pages do."""
    for module in iter_modules(explorer.__path__):
        if not module.ispkg and module.name not in {"main", "server"}:
            import_module(f"explorer.{module.name}")


if __name__ == "__main__":
    preload()
    main(prog_name="streamlit")
