"""Settings of the explorer, and how the command hands them to Streamlit's script."""

import json
from typing import Annotated

from pydantic import Field

from core.config import STRICT, Name, read_config, settings
from core.errors import LemmataError

Port = Annotated[int, Field(ge=0, le=65535)]


@settings(frozen=True, config=STRICT)
class ExplorerConfig:
    """``runs``: a folder of runs, or one run. ``read_only``: nobody labels. ``author``: who labels, where not asked."""

    runs: Name = "runs"
    read_only: bool = False
    author: str = ""
    host: Name = "127.0.0.1"
    port: Port = 8501


def to_argument(config: ExplorerConfig) -> str:
    """The settings as one argument of the script."""
    return json.dumps({"runs": config.runs, "read_only": config.read_only, "author": config.author})


def from_arguments(arguments: list[str]) -> ExplorerConfig:
    """The settings that `to_argument` wrote; the defaults for `streamlit run app.py` alone.

    Raises LemmataError for anything else.
    """
    if not arguments:
        return ExplorerConfig()
    try:
        value = json.loads(arguments[0])
    except ValueError as error:
        raise LemmataError(f"the explorer cannot read its settings {arguments[0]!r}; use `lemmata explore`") from error
    return read_config(ExplorerConfig, value, "")
