"""The end of a process that trains, as it stands in its run folder: a stop has a reason, a death has none."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.run_end import RunEnd, read_end, recorded_end

PROCESS = """
import sys, time
from pathlib import Path
from core.run_end import recorded_end
from lemmata.training import stop_signals
with stop_signals() as received, recorded_end(Path(sys.argv[1]), received):
    print("ready", flush=True)
    while not received:
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "stopped by SIGTERM"),
        (signal.SIGINT, "stopped by SIGINT"),
        (signal.SIGKILL, None),
    ],
)
def test_a_stop_has_a_reason_and_a_death_has_none(tmp_path: Path, number: signal.Signals, reason: str | None) -> None:
    (tmp_path / "stopped.json").write_text('{"reason": "an earlier stop", "time": "t"}')
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        process.wait()
    end = read_end(tmp_path)
    assert (end and end.reason) == reason


def test_an_error_is_the_reason_and_a_new_start_removes_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NaN"), recorded_end(tmp_path, []):
        raise ValueError("the loss is NaN\nat step 3")
    end = read_end(tmp_path)
    assert isinstance(end, RunEnd)
    assert end.reason == "ValueError: the loss is NaN\nat step 3"
    with recorded_end(tmp_path, []):
        assert read_end(tmp_path) is None
    assert read_end(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"reason": 1}'])
def test_a_damaged_record_is_no_reason(tmp_path: Path, content: str) -> None:
    (tmp_path / "stopped.json").write_text(content)
    assert read_end(tmp_path) is None
