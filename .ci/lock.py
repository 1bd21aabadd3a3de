"""Lock file: resolves the dependencies of every extra for several Pythons, and prints one version of each package.

    python .ci/lock.py python3.11 python3.13 > requirements.lock

Each interpreter needs pip 23 or newer. Versions found by the first bind the later ones, which add what only they need.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CUDA = ("cuda-", "nvidia-")  # torch's own choice, where its build is for a GPU
HEADER = """\
# Versions that the project is tested with, for every extra, on Python 3.11 to 3.13 (pip install -c requirements.lock).
# Made by `make lock` from pyproject.toml and constraints.txt.
"""


def main() -> None:
    """Print the lock file for the interpreters that are named."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for python in sys.argv[1:]:
            bound = Path(folder, "bound.txt")
            bound.write_text("".join(f"{name}=={version}\n" for name, version in found.items()))
            found |= resolved(python, bound)
    print(HEADER + "\n".join(f"{name}=={found[name]}" for name in sorted(found)))


def resolved(python: str, bound: Path) -> dict[str, str]:
    """Versions of all packages that ``python`` would install, within constraints.txt and ``bound``."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = ",".join(tomllib.load(file)["project"]["optional-dependencies"])
    command = [
        *(python, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"),
        *("-c", str(ROOT / "constraints.txt"), "-c", str(bound), f"{ROOT}[{extras}]"),
    ]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    packages = (entry["metadata"] for entry in report["install"] if "dir_info" not in entry["download_info"])
    # A local label such as 2.13.0+cpu names one index's build of the same version.
    versions = {canonical(package["name"]): package["version"].partition("+")[0] for package in packages}
    return {name: version for name, version in versions.items() if not name.startswith(CUDA)}


def canonical(name: str) -> str:
    """A package's name as indexes normalize it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
