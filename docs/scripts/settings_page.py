"""Settings reference: reads keys, defaults and comments of lemmata/conf/**.yaml and writes them as a page."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

WIDTH = 150
BLOCKS = (yaml.MappingNode,)


@dataclass
class Setting:
    """One key of a settings file with its full name, its default as written, and its comment."""

    name: str
    default: str | None  # None for a group of keys
    comment: str


@dataclass
class SettingsFile:
    """One file of settings: its name without ``.yaml``, its opening comment, what it includes, and its keys."""

    name: str
    about: str
    includes: list[str] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)


def read_settings(path: Path, folder: Path) -> SettingsFile:
    """Returns the keys and comments of one file. Raises yaml.YAMLError if it is not YAML."""
    text = path.read_text()
    lines = text.splitlines()
    name = path.relative_to(folder).with_suffix("").as_posix()
    opening = []
    for line in lines:
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            opening.append(line.removeprefix("#").strip())
    root = yaml.compose(text)
    found = SettingsFile(name, " ".join(opening))
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == "defaults":
                found.includes = [item for item in _defaults(value) if item]
        found.settings = list(_settings(root, "", text, lines, len(opening)))
    return found


def _defaults(node: yaml.Node) -> Iterator[str]:
    """The entries of a ``defaults`` list that a reader cares about."""
    assert isinstance(node, yaml.SequenceNode)
    for item in node.value:
        if isinstance(item, yaml.ScalarNode):
            yield "" if item.value == "_self_" else item.value
        else:
            for key, value in item.value:
                yield "" if "hydra/" in key.value else f"{key.value}: {value.value}"


def _settings(node: yaml.MappingNode, prefix: str, text: str, lines: list[str], opening: int) -> Iterator[Setting]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if name in ("defaults", "hydra"):
            continue
        comment = comment_of(lines, key.start_mark.line, key.start_mark.column, opening)
        block = isinstance(value, BLOCKS) and not value.flow_style
        if block:
            if comment:
                yield Setting(name, None, comment)
            yield from _settings(value, f"{name}.", text, lines, opening)
        else:
            yield Setting(name, _default(text[value.start_mark.index : value.end_mark.index]), comment)


def _default(source: str) -> str:
    """A value as written, on one line and without the comments inside it."""
    lines = [line for line in source.splitlines() if not line.strip().startswith("#")]
    if len(lines) > 1:
        lines = [line.split(" #")[0] for line in lines]
    return " ".join(" ".join(lines).split())


def comment_of(lines: list[str], row: int, column: int, opening: int) -> str:
    """Comment of the key at a place: lines above it at its own indentation, and what follows ``#`` on its line.

    The first ``opening`` lines of a file speak of the whole file.
    """
    above: list[str] = []
    place = row - 1
    while place >= max(opening, 0) and re.match(rf"^ {{{column}}}# ?\S", lines[place]):
        above.insert(0, lines[place].strip().removeprefix("#").strip())
        place -= 1
    beside: list[str] = []
    match = re.search(r"(?:^|\s)(# .*)$", re.sub(r"'[^']*'|\"[^\"]*\"", lambda m: "x" * len(m[0]), lines[row]))
    if match:
        start = match.start(1)
        beside.append(lines[row][start:])
        for line in lines[row + 1 :]:
            if not re.match(rf"^ {{{start}}}#", line):
                break
            beside.append(line[start:])
    return " ".join([*above, *(part.removeprefix("#").strip() for part in beside)])


def section(found: SettingsFile, level: str) -> list[str]:
    """Lines of the page for one file."""
    lines = [f"{level} {found.name}", ""]
    if found.about:
        lines += [*textwrap.wrap(found.about, WIDTH, break_long_words=False, break_on_hyphens=False), ""]
    if found.includes:
        names = ", ".join(f"`{item}`" for item in found.includes)
        lines += [*textwrap.wrap(f"Includes {names}.", WIDTH, break_long_words=False, break_on_hyphens=False), ""]
    for setting in found.settings:
        default = "" if setting.default is None else f" = `{_short(setting.default)}`"
        comment = f": {setting.comment}" if setting.comment else ""
        text = f"- `{setting.name}`{default}{comment}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [*lines, ""] if found.settings else lines


def _short(default: str) -> str:
    return default if len(default) <= 90 else f"{default[:87]}..."


def page(folder: Path, commands: list[str]) -> str:
    """The whole page: settings of commands in their order, shared ones, then groups by name."""
    files = {found.name: found for found in (read_settings(path, folder) for path in sorted(folder.rglob("*.yaml")))}
    lines = [
        "# Settings",
        "",
        "Written from the comments of `lemmata/conf/` by `python -m docs.scripts.references`. On a command line",
        "a setting is `key=value`; `lemmata COMMAND --cfg job` prints the settings of a command with all it includes.",
        "(*) marks what may change when a run is resumed.",
        "",
        "## Commands",
        "",
    ]
    for command in commands:
        if command in files:
            lines += section(files.pop(command), "###")
    lines += ["## Shared", ""]
    for name in sorted(name for name in files if "/" not in name):
        lines += section(files.pop(name), "###")
    for group in sorted({name.split("/")[0] for name in files}):
        lines += [f"## Group {group}", "", f"One file of `{group}=NAME`.", ""]
        for name in sorted(name for name in files if name.split("/")[0] == group):
            lines += section(files.pop(name), "###")
    return "\n".join(lines).rstrip() + "\n"
