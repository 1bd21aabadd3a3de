"""``lemmata merge``: models of one base merged by their weights."""

import time
from importlib import import_module
from typing import Any

from rich.console import Console

from core.config import read_part
from core.errors import LemmataError
from lemmata.terminal import plain
from rl.merging.config import MergeConfig

NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
SECONDS = 5.0  # between two lines of progress


def merge_command(config: dict[str, Any]) -> int:
    """Write the merged model."""
    settings = read_part(MergeConfig, config)
    try:
        module = import_module("rl.merging.merge")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        raise LemmataError(f"`lemmata merge` needs {error.name}: pip install '.[model]'") from error
    count = module.merge(settings, _Progress())
    said = plain(f"{settings.out}: {len(settings.models)} models merged by {settings.method}, {count} tensors")
    Console(highlight=False).print(said, soft_wrap=True)
    return 0


class _Progress:
    """A line every few seconds."""

    def __init__(self) -> None:
        self._latest = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._latest > SECONDS:
            self._latest = time.monotonic()
            Console(stderr=True, highlight=False).print(plain(f"{done} of {total} tensors"), soft_wrap=True)
