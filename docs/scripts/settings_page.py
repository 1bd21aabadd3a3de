"""Settings reference: a page of the keys, defaults and comments of lemmata/conf/**.yaml."""

import textwrap
from pathlib import Path

from lemmata.settings_files import SettingsFile, read_settings

WIDTH = 150


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
