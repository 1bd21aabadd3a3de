"""The generated pages of docs/reference are what the code says."""

from pathlib import Path

from docs.scripts.references import differing
from docs.scripts.settings_page import read_settings, section


def test_generated_pages_are_current() -> None:
    assert differing() == [], "run python -m docs.scripts.references"


def test_keys_comments_and_defaults_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "# lemmata x: about it.\ndefaults:\n  - base\n  - policy: shipped\n  - _self_\n\n"
        "a: 1     # first,\n         # goes on\nb:       # a group\n  c: 'x # y'  # quoted\n"
        "# above\nd: [1, 2]\ne: null\n"
    )
    found = read_settings(path, tmp_path)
    assert found.about == "lemmata x: about it."
    assert found.includes == ["base", "policy: shipped"]
    assert [(one.name, one.default, one.comment) for one in found.settings] == [
        ("a", "1", "first, goes on"),
        ("b", None, "a group"),
        ("b.c", "'x # y'", "quoted"),
        ("d", "[1, 2]", "above"),
        ("e", "null", ""),
    ]
    assert "- `a` = `1`: first, goes on" in section(found, "##")
