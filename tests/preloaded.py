"""Processes of their own that start with commands and trainer imported: forks of a server that never ran any.

Importing torch and what training needs takes seconds of the processor in each new interpreter. These processes are as
apart as any: they have their own memory, and end by ``kill -9`` alone.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.clocks import HANG

PRELOADED = [
    "torch._dynamo",
    "rl.recipe.steps",
    "lemmata.commands.cotrain",
    "lemmata.commands.refine",
    "lemmata.commands.serve",
    "tests.rl.killed_training",
]


def start(log: Path, target: Callable[..., object], *arguments: Any, stdout: Path | None = None) -> BaseProcess:
    """Calls ``target`` of a module with ``arguments`` in a process whose output goes to ``log``.

    ``stdout``: another file for standard output.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_logged, args=(log, stdout or log, target, arguments))
    process.start()
    return process


def run(log: Path, target: Callable[..., object], *arguments: Any, stdout: Path | None = None) -> int:
    """Runs ``target`` to its end. Returns the exit code, negative for a signal."""
    return exit_code(start(log, target, *arguments, stdout=stdout), log)


def exit_code(process: BaseProcess, log: Path) -> int:
    """Waits for the end of a process. Returns its exit code, negative for a signal."""
    process.join(4 * HANG)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(log.read_text())
    return process.exitcode


def command(folder: Path, environment: Mapping[str, str | None], *arguments: str) -> None:
    """``lemmata`` with ``arguments`` in ``folder``, as the console script calls it.

    ``environment``: changes; None removes a variable.
    """
    from lemmata.cli import main  # noqa: PLC0415  in the process alone

    os.chdir(folder)
    for name, value in environment.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    sys.argv = ["lemmata", *arguments]
    main()


def script(path: Path, folder: Path, *arguments: str) -> None:
    """The Python file at ``path`` with ``arguments`` in ``folder``, as ``python PATH`` runs it."""
    os.chdir(folder)
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.parent))
    runpy.run_path(str(path), run_name="__main__")


def _logged(log: Path, stdout: Path, target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    for stream, path in ((1, stdout), (2, log)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), stream)
    target(*arguments)
