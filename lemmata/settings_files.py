"""Settings files: keys, defaults and comments of lemmata/conf, for ``--help`` and the settings reference."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

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
