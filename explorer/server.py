"""`python -m explorer.server run app.py ...`: as `streamlit run app.py ...`, with the explorer's modules loaded first.

The first reader then need not wait for them.
"""

from importlib import import_module
from pkgutil import iter_modules

from streamlit.web.cli import main

import explorer


def load() -> None:
    """Load what draws nothing: modules that do want Streamlit's server to be there."""
    for module in iter_modules(explorer.__path__):
        if not module.ispkg and module.name not in {"main", "server"}:
            import_module(f"explorer.{module.name}")


if __name__ == "__main__":
    load()
    main(prog_name="streamlit")
