"""Processes of their own that start with the trainer imported: forks of a server that never trained.

Importing torch and what training needs takes seconds of the processor in each new interpreter. These processes are as
apart as any: they have their own memory, and end by ``kill -9`` alone.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.clocks import HANG

PRELOADED = ["torch._dynamo", "rl.recipe.steps", "lemmata.commands.cotrain", "tests.rl.killed_training"]


def start(log: Path, target: Callable[..., object], *arguments: Any) -> BaseProcess:
    """Calls ``target`` of a module with ``arguments`` in a process whose output goes to ``log``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_logged, args=(log, target, arguments))
    process.start()
    return process


def run(log: Path, target: Callable[..., object], *arguments: Any) -> int:
    """Runs ``target`` to its end. Returns the exit code, negative for a signal."""
    process = start(log, target, *arguments)
    process.join(4 * HANG)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(log.read_text())
    return process.exitcode


def command(*arguments: str) -> None:
    """``lemmata`` with ``arguments``, as the console script calls it."""
    from lemmata.cli import main  # noqa: PLC0415  in the process alone

    sys.argv = ["lemmata", *arguments]
    main()


def _logged(log: Path, target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    target(*arguments)
