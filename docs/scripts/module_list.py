"""Annotated tree of packages: every module with the first line of its docstring."""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

WIDTH = 150
BEGIN = "<!-- modules: written by python -m docs.scripts.references -->\n"
END = "<!-- end of modules -->"


def first_line(path: Path) -> str:
    """First line of a module's docstring, without its last period; empty where there is none."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0].rstrip(".")


def folder_lines(folder: Path, root: Path) -> Iterator[str]:
    """One entry per module below a folder; subfolders follow with headings of their own, in bold."""
    modules = [path for path in sorted(folder.glob("*.py")) if path.name not in ("__init__.py", "__main__.py")]
    for path in modules:
        yield from _wrapped(f"- `{path.name}`: {first_line(path)}" if first_line(path) else f"- `{path.name}`")
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        about = first_line(inner / "__init__.py")
        name = inner.relative_to(root).as_posix()
        yield ""
        yield from _wrapped(f"**`{name}/`** {about}".rstrip())
        yield ""
        yield from folder_lines(inner, root)


def _wrapped(text: str) -> list[str]:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def listing(root: Path, packages: list[str]) -> str:
    """The sections of all packages, in the order given."""
    lines: list[str] = []
    for package in packages:
        about = first_line(root / package / "__init__.py")
        lines += [f"### {package}/", "", *_wrapped(about), ""]
        lines += [*folder_lines(root / package, root), ""]
    return "\n".join(lines)


def with_listing(text: str, lines: str) -> str:
    """A page's text with its list of modules replaced. Raises ValueError where it has no place for one."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no list of modules between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}{lines}{END}{after}"
