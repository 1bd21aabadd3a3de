"""``lemmata lab generate``: tables of theorems with exact truth, of labeled proofs and of labeled analyses."""

from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from core.config import STRICT, Count, Name, Positive, read_config, settings
from core.errors import LemmataError
from lab.generator import HELD_OUT_LEVEL, LEVELS, families
from lab.items import Stream
from lab.table import WHAT, rows, write_table
from lemmata.terminal import plain


@settings(frozen=True, config=STRICT)
class GenerateConfig:
    """Settings of ``lemmata lab generate``. ``families`` and ``levels``: None means all (but the held-out level)."""

    out: Name
    what: Literal["theorems", "proofs", "analyses"]
    families: tuple[str, ...] | None
    levels: tuple[int, ...] | None
    split: Literal["train", "validation", "test"]
    count: Positive
    seed: Count


def lab_command(config: dict[str, Any]) -> int:
    """Write a table of the lab."""
    settings = read_config(GenerateConfig, config, "")
    levels = settings.levels or tuple(level for level in LEVELS if level != HELD_OUT_LEVEL)
    try:
        stream = Stream(WHAT[settings.what], settings.families or families(), levels, settings.split, settings.seed)
    except ValueError as error:
        raise LemmataError(str(error)) from error
    count = write_table(Path(settings.out), rows(stream, settings.count))
    Console(highlight=False).print(plain(f"{settings.out}: {count} {settings.what}"), soft_wrap=True)
    return 0
