"""``lemmata explore``: the proof explorer in a browser."""

import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

import explorer
from core.config import read_config
from core.errors import LemmataError
from explorer.config import ExplorerConfig, to_argument
from lemmata.terminal import plain

QUIET = ("--server.headless=true", "--browser.gatherUsageStats=false", "--server.fileWatcherType=none")


def explore_command(config: dict[str, Any]) -> int:
    """Serves the pages until it is stopped; this process is replaced by Streamlit's."""
    settings = read_config(ExplorerConfig, config, "")
    if find_spec("streamlit") is None:
        raise LemmataError("`lemmata explore` needs streamlit: pip install '.[app]'")
    folder = Path(settings.runs).expanduser().resolve()
    if not folder.is_dir():
        raise LemmataError(f"runs={settings.runs}: no such folder; give a folder of runs, or one run")
    console = Console(highlight=False)
    console.print(
        plain(f"exploring {folder} at http://{settings.host}:{settings.port}  (ctrl-C stops)"), soft_wrap=True
    )
    given = replace(settings, runs=str(folder))
    script = _script()
    command = [sys.executable, "-m", "explorer.server", "run", str(script), *QUIET]
    command += [f"--server.address={settings.host}", f"--server.port={settings.port}", "--", to_argument(given)]
    sys.stdout.flush()
    os.chdir(script.parent)  # where Streamlit finds its settings, .streamlit/config.toml
    os.execv(sys.executable, command)  # noqa: S606  one process, which a signal ends


def _script() -> Path:
    """Path of app.py: beside the packages in a checkout, inside the package when installed."""
    package = Path(explorer.__file__).parent
    found = [path for path in (package.parent / "app.py", package / "launch" / "app.py") if path.is_file()]
    if not found:
        raise LemmataError(f"app.py of the explorer is missing beside {package}; reinstall lemmata")
    return found[0]
