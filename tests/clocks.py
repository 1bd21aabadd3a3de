"""Clocks for tests: no test may fail because the machine is busy, so work is bounded by processor time."""

import os
from pathlib import Path

HANG = 900.0  # seconds; reached only by a hang, never by a busy machine


def process_seconds(pid: int) -> float:
    """The processor time of another process, all threads together, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
