"""Settings of the explorer, passed from the command to Streamlit's script as one argument."""

import json
from typing import Annotated

from pydantic import Field

from core.config import STRICT, Count, Name, read_config, settings
from core.errors import LemmataError

Port = Annotated[int, Field(ge=0, le=65535)]


@settings(frozen=True, config=STRICT)
class ExplorerConfig:
    """Settings of the explorer. ``runs``: folder of runs, or one run; ``author``: default name of the labeler.

    ``labelers`` share the label queue, each item goes to ``labels_per_item`` of them (0: to all).
    """

    runs: Name = "runs"
    read_only: bool = False
    author: str = ""
    labelers: tuple[str, ...] = ()
    labels_per_item: Count = 0
    host: Name = "127.0.0.1"
    port: Port = 8501


def to_argument(config: ExplorerConfig) -> str:
    """Encodes the settings as one argument of the script."""
    names = ("runs", "read_only", "author", "labelers", "labels_per_item")
    return json.dumps({name: getattr(config, name) for name in names})


def from_arguments(arguments: list[str]) -> ExplorerConfig:
    """Decodes the settings from `to_argument`; returns the defaults where there is no argument.

    Raises:
        LemmataError: the argument is not such an encoding.
    """
    if not arguments:
        return ExplorerConfig()
    try:
        value = json.loads(arguments[0])
    except ValueError as error:
        raise LemmataError(f"the explorer cannot read its settings {arguments[0]!r}; use `lemmata explore`") from error
    return read_config(ExplorerConfig, value, "")
