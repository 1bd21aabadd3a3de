"""Large run for the explorer's benchmarks, of the lab's own texts (`lab.synthetic_run`).

python -m benchmarks.explorer_run runs/large                    # 200 problems, 100,000 records
python -m benchmarks.explorer_run runs/small --problems 12
"""

import argparse
from pathlib import Path

from lab.synthetic_run import write_run


def main() -> None:
    """Writes the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--problems", type=int, default=200)
    options = parser.parse_args()
    if options.run.exists():
        parser.error(f"{options.run} exists already: give another folder, or remove it")
    total = write_run(options.run, options.problems)
    print(f"{options.run}: {options.problems} problems, {total} records")


if __name__ == "__main__":
    main()
