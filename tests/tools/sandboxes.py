"""A sandbox for tests: the settings of the command line with small limits, and the reason where none can be had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core.errors import LemmataError
from tests.presets import interpreter_config
from tools.config import InterpreterConfig
from tools.interpreter import Interpreter
from tools.sandbox import launch_of


def small(**changes: Any) -> InterpreterConfig:
    """Settings with small limits."""
    return replace(interpreter_config(), **({"seconds": 30.0, "output": 2000, "disk": 16} | changes))


@cache
def missing(kind: str = "auto") -> str:
    """The reason why there is no sandbox here; empty where there is one."""
    try:
        launch_of(small(sandbox=kind))
    except LemmataError as error:
        return str(error)
    return ""


def require(kind: str = "auto") -> None:
    """Skip the test, with the reason, where there is no sandbox."""
    if reason := missing(kind):
        pytest.skip(reason)


async def begun(config: InterpreterConfig) -> Interpreter:
    """An interpreter with a kernel."""
    running = await Interpreter.start(launch_of(config), config)
    await running.begin()
    return running


@asynccontextmanager
async def interpreter(**changes: Any) -> AsyncIterator[Interpreter]:
    """A running interpreter."""
    config = small(**changes)
    running = await begun(config)
    try:
        yield running
    finally:
        await running.close()


def members(group: int) -> list[int]:
    """Processes whose group, session or parent is ``group``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
        except OSError:
            continue
        if fields and fields[0] != "Z" and str(group) in (*fields[1:4], entry.name):
            found.append(int(entry.name))
    return found
