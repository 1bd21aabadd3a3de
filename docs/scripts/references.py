"""Writer of the generated pages of docs/reference: cli.md, settings.md, servers.md, api/, and the list of modules.

``python -m docs.scripts.references`` writes them; with ``--check`` it exits with 1 where a page differs from the code.
"""

import argparse
import re
import sys
import textwrap
import tomllib
from pathlib import Path

from docs.scripts import servers_page, settings_page
from docs.scripts.module_list import first_line, listing, with_listing
from lemmata.cli import COMMANDS, VARIANTS
from lemmata.settings_files import read_settings

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "lemmata" / "conf"
REFERENCE = ROOT / "docs" / "reference"
WIDTH = 150

CLI_OPENING = """\
# Command line

Written from the code by `python -m docs.scripts.references`.

    lemmata COMMAND [key=value ...]

Settings are given as `key=value`, for example `refine.rounds=5`; a preset by its group, for example `refine=paper`
([all settings](settings.md)). `problem='...'` is taken as it is; other values with spaces, commas or braces need
quotes of Hydra's grammar inside those of the shell: `'key="a, b"'`. A key that a command does not know is an error.

- `lemmata COMMAND --help`: the settings that apply with this command line, each with its value and meaning:
  `lemmata refine policy=endpoint refine=paper --help` shows those of a server and of that preset.
- `lemmata COMMAND --cfg job`: the settings that this command line gives.
- `lemmata COMMAND -m seed=0,1,2`: the command once per value.
- `lemmata --version`: the version.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | an error; the message says what happened, where, and how to fix it |
| 2 | stopped early, or problems are left unfinished; the same command resumes |
| 3 | done, but nothing could be judged: no verdict can be read, or all is outside what the model was trained on |
| 130 | aborted |

Commands that ask models end with `Ctrl-C` after the calls in flight; a second `Ctrl-C` aborts. The same command
resumes.
"""


def conf_name(words: tuple[str, ...]) -> str:
    """Name of the settings file of a command."""
    return "_".join(words).replace("-", "_")


def commands() -> list[tuple[tuple[str, ...], str]]:
    """Every command as its words, with its line of ``lemmata --help`` (none for a second word's)."""
    found: list[tuple[tuple[str, ...], str]] = []
    for name, entry in COMMANDS.items():
        found.append(((name,), entry[1]))
        found += [(words, "") for words in VARIANTS if words[0] == name]
    return found


def cli_page() -> str:
    """The page of all commands."""
    lines = [CLI_OPENING]
    for words, usage in commands():
        path = CONF / f"{conf_name(words)}.yaml"
        about = read_settings(path, CONF).about if path.exists() else ""
        text = re.sub(r"^lemmata [a-z -]+: ", "", about) or usage
        text = re.sub(r"\(?docs/(guides/[\w-]+\.md)\)?", r"([guide](../\1))", text)
        lines += [f"## lemmata {' '.join(words)}", ""]
        lines += textwrap.wrap(text[:1].upper() + text[1:], WIDTH, break_long_words=False, break_on_hyphens=False)
        if path.exists():
            lines += ["", f"[Settings](settings.md#{conf_name(words)})"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def packages() -> list[str]:
    """The packages of the distribution, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return sorted(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def api_pages() -> dict[str, str]:
    """One page per package with its modules, their classes and functions, and an index."""
    pages = {}
    index = [
        "# Python API",
        "",
        "One page per package, from the docstrings. `lemmata` is the entry point; imports point down",
    ]
    index += ["the list of packages in [the architecture](../architecture.md).", ""]
    for package in packages():
        about = first_line(ROOT / package / "__init__.py")
        index.append(f"- [{package}]({package}.md): {about}" if about else f"- [{package}]({package}.md)")
        pages[f"api/{package}.md"] = f"# {package}\n\n::: {package}\n"
    pages["api/index.md"] = "\n".join(index) + "\n"
    return pages


def architecture_page() -> str:
    """The page of the architecture with its list of modules as the code has them, the top layer first."""
    top_down = ["lemmata", "explorer", "evaluation", "rl", "lab", "refine", "prover", "verifier", "meta_verifier"]
    order = [*top_down, "serving", "policy", "model", "kernels", "core"]
    others = [package for package in packages() if package not in order]
    text = (REFERENCE / "architecture.md").read_text()
    return with_listing(text, listing(ROOT, [package for package in [*order, *others] if package in packages()]))


def pages() -> dict[str, str]:
    """All generated pages: path below docs/reference, and text."""
    names = [conf_name(words) for words, _ in commands()]
    extra = {"architecture.md": architecture_page(), "servers.md": servers_page.page()}
    return {"cli.md": cli_page(), "settings.md": settings_page.page(CONF, names), **extra, **api_pages()}


def differing() -> list[str]:
    """Pages on disk that are not as generated, and pages of the API that no package has."""
    expected = pages()
    found = [
        name
        for name, text in expected.items()
        if not (REFERENCE / name).exists() or (REFERENCE / name).read_text() != text
    ]
    return found + [f"api/{path.name}" for path in REFERENCE.glob("api/*.md") if f"api/{path.name}" not in expected]


def main() -> int:
    """Writes the pages, or compares them. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args().check
    stale = differing()
    if check:
        for name in stale:
            print(f"docs/reference/{name} differs from the code: run python -m docs.scripts.references")
        return 1 if stale else 0
    for name in stale:
        path = REFERENCE / name
        if name not in (current := pages()):
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(current[name])
    print(f"{len(stale)} pages of docs/reference written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
