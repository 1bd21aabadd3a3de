"""Output block of the README: what ``lemmata refine`` prints, replayed from the recorded run in examples/refined-run.

``python -m docs.scripts.readme`` writes the block, ``--check`` exits with 1 where it differs, and ``--record`` first
runs the shipped model again and replaces the recorded run. Replaying needs no model, so that the block is the same on
every machine.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PROBLEM = ROOT / "examples" / "first-problem.txt"  # chosen by docs.scripts.first_run
RECORDED = ROOT / "examples" / "refined-run"
BEGIN = "<!-- output of lemmata refine: written by python -m docs.scripts.readme -->\n```text\n"
END = "\n```\n<!-- end of output -->"
SETTINGS = [f"problem={PROBLEM.read_text(encoding='utf-8').strip()}", "refine.proofs=1"]
# What policy=shipped sets, which policy=replay does not.
AS_SHIPPED = [
    *("prompts=lab", "sampling.temperature=0.6", "sampling.max_tokens=512"),
    *("judge.acceptance.rule=quorum", "judge.acceptance.min_verdicts=1"),
]
FIRST_LINE = "Prove or refute:"


def refine(*settings: str, folder: Path) -> str:
    """Returns the standard output of ``lemmata refine`` with these settings. Raises RuntimeError if it fails."""
    environment = os.environ | {"COLUMNS": "120", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "lemmata", "refine", *SETTINGS, *settings]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def record() -> None:
    """Replaces the recorded run by a new one of the shipped model."""
    with tempfile.TemporaryDirectory() as name:
        refine("run=refined-run", folder=Path(name))
        shutil.rmtree(RECORDED, ignore_errors=True)
        shutil.copytree(Path(name) / "refined-run", RECORDED, ignore=shutil.ignore_patterns("lock", "metrics.jsonl"))


def block() -> str:
    """The lines from the statement to the exact check, of the recorded run."""
    with tempfile.TemporaryDirectory() as name:
        output = refine("policy=replay", f"policy.run={RECORDED}", *AS_SHIPPED, "run=replayed", folder=Path(name))
    lines = [line.rstrip() for line in output.splitlines()]
    start = next(place for place, line in enumerate(lines) if line.startswith(FIRST_LINE))
    return "\n".join(lines[start:]).strip()


def with_block(text: str, lines: str) -> str:
    """The README's text with its output block replaced."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"README.md has no block between {BEGIN!r} and {END!r}")
    return before + BEGIN + lines + END + after


def main() -> int:
    """Writes or checks the block. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the block differs")
    parser.add_argument("--record", action="store_true", help="run the shipped model again first")
    options = parser.parse_args()
    if options.record:
        record()
    text = README.read_text()
    expected = with_block(text, block())
    if options.check and text != expected:
        print("README.md: the output block differs: run python -m docs.scripts.readme")
        return 1
    README.write_text(expected)
    return 0


if __name__ == "__main__":
    sys.exit(main())
