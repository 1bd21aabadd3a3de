"""The command line and a fake server, for tests of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import CommandLine, Served, serving


@pytest.fixture
def lemmata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs commands in an empty folder, on a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return CommandLine(tmp_path, capsys)


@pytest.fixture
def served() -> Iterator[Served]:
    """A well-behaved server."""
    with serving() as running:
        yield running
