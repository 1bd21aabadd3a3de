"""Runner of the tutorials, the README and the guide to Python: every ``sh`` and ``python`` block, a folder per page.

``python -m docs.scripts.tutorials [NAME ...]`` runs them as a reader would, with two differences: an endpoint at
http://localhost:8000/v1 is the tests' fake server, and a block may be made smaller by a comment above it:

    <!-- check: with stages.sft.steps=4 -->      settings appended to the lemmata commands of the block
    <!-- check: skip, it opens a browser -->     the block is not run; the reason is required
    <!-- check: prints accepted -->              the output must hold this text; may stand several times

Comments stand on consecutive lines directly above the block.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.command import serving

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = {path.stem: path for path in sorted(TUTORIALS.glob("*.md"))} | {
    "README": ROOT / "README.md",
    "python": ROOT / "docs" / "guides" / "python.md",
}
SHOWN_SERVER = "http://localhost:8000/v1"
LINKED = ("examples", "model")  # of the repository, in whose folder a reader works
BLOCK = re.compile(r"((?:^<!-- check: [^\n]* -->\n)*)^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TAKES_SETTINGS = re.compile(r"lemmata (?!show|report)")
COMMENT = re.compile(r"<!-- check: (\w+),? (.*) -->")


@dataclass
class CodeBlock:
    """One block of a page: its line, language and code, and what the comments above it say."""

    line: int
    language: str
    code: str
    settings: list[str] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)
    skipped: str | None = None


class TutorialError(Exception):
    """A block that failed, or a comment that cannot be read."""


def blocks(text: str) -> Iterator[CodeBlock]:
    """The blocks of a page in order. Raises TutorialError for a comment that is none of the three."""
    for found in BLOCK.finditer(text):
        block = CodeBlock(text[: found.start(2)].count("\n") + 1, found[2], found[3])
        for comment in found[1].splitlines():
            match = COMMENT.fullmatch(comment)
            if match is None or match[1] not in ("with", "skip", "prints"):
                raise TutorialError(f"line {block.line}: cannot read {comment!r}")
            if match[1] == "with":
                block.settings += match[2].split()
            elif match[1] == "prints":
                block.prints.append(match[2])
            else:
                block.skipped = match[2]
        yield block


def script(block: CodeBlock, server: str) -> str:
    """The block as it is run: the fake server's address, and settings appended to each lemmata command."""
    code = block.code.replace(SHOWN_SERVER, server)
    if not block.settings or block.language != "sh":
        return code
    extra = " ".join(f"'{setting}'" for setting in block.settings)
    joined = code.replace("\\\n", " ")
    lines = [f"{line} {extra}" if TAKES_SETTINGS.match(line) else line for line in joined.splitlines()]
    return "\n".join(lines)


def environment(folder: Path) -> dict[str, str]:
    """Variables of a shell in which ``lemmata`` and ``python`` are those of this interpreter."""
    programs = folder / "bin"
    programs.mkdir()
    for name, arguments in (("lemmata", '-m lemmata "$@"'), ("python", '"$@"')):
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}\n')
        path.chmod(0o755)
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_WAIT_POLICY": "PASSIVE",
        "COLUMNS": "160",
    }


def run_block(block: CodeBlock, server: str, folder: Path, variables: dict[str, str]) -> None:
    """Runs one block. Raises TutorialError with its output if it fails or lacks what it must print."""
    program = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    ended = subprocess.run(
        [*program, script(block, server)], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    output = ended.stdout + ended.stderr
    if ended.returncode:
        raise TutorialError(f"line {block.line}: exit code {ended.returncode}\n{block.code}\n{output[-4000:]}")
    for text in block.prints:
        if " ".join(text.split()) not in " ".join(output.split()):
            raise TutorialError(f"line {block.line}: the output lacks {text!r}\n{output[-4000:]}")


def run_page(path: Path) -> None:
    """Runs a page from its first block to its last in a new folder. Raises TutorialError where one fails."""
    with tempfile.TemporaryDirectory() as name, serving() as served:
        folder = Path(name)
        variables = environment(folder)
        place = folder / "lemmata"
        place.mkdir()
        for linked in LINKED:
            (place / linked).symlink_to(ROOT / linked)
        for block in blocks(path.read_text()):
            start = time.monotonic()
            if block.skipped is None:
                run_block(block, served.url, place, variables)
            state = "skipped: " + block.skipped if block.skipped else f"{time.monotonic() - start:.1f} s"
            print(f"{path.name}:{block.line}: {state}", flush=True)


def main() -> int:
    """Runs all pages, or those named. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PAGES, []], help="pages by file name without .md; none: all")
    names = parser.parse_args().names or list(PAGES)
    failed = 0
    for name in names:
        try:
            run_page(PAGES[name])
        except TutorialError as error:
            failed += 1
            print(f"{PAGES[name].relative_to(ROOT)}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
