"""``lemmata merge``: merges the weights of models of one base."""

import time
from importlib import import_module
from typing import Any

from rich.console import Console

from core.config import read_config
from core.errors import LemmataError
from lemmata.terminal import plain
from rl.merging.config import MergeConfig

NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
SECONDS = 5.0  # between two lines of progress


def merge_command(config: dict[str, Any]) -> int:
    """Write the merged model."""
    settings = read_config(MergeConfig, config, "")
    try:
        module = import_module("rl.merging.merge")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        raise LemmataError(f"`lemmata merge` needs {error.name}: pip install '.[model]'") from error
    count = module.merge(settings, _Progress())
    message = plain(f"{settings.out}: {len(settings.models)} models merged by {settings.method}, {count} tensors")
    Console(highlight=False).print(message, soft_wrap=True)
    return 0


class _Progress:
    """Progress of a merge: one line every few seconds."""

    def __init__(self) -> None:
        self._latest = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._latest > SECONDS:
            self._latest = time.monotonic()
            Console(stderr=True, highlight=False).print(plain(f"{done} of {total} tensors"), soft_wrap=True)
