"""Report of a run: its document report.md with the plots beside it, as text and images."""

import re
from pathlib import Path

import streamlit as st

from explorer.ui.widgets import model_text, note

_IMAGE = re.compile(r"^!\[[^\]\n]*\]\(([A-Za-z0-9][A-Za-z0-9._-]*\.png)\)$", re.MULTILINE)


def show_report(folder: Path) -> None:
    """Shows the report in ``folder``, collapsed; nothing where there is none."""
    if not (folder / "report.md").is_file():
        return
    with st.expander("Report", key="report", on_change="rerun") as opened:
        if not opened.open:
            return
        try:
            text = (folder / "report.md").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            note(f"{folder / 'report.md'} cannot be read: {error}")
            return
        for place, part in enumerate(_IMAGE.split(text)):
            if place % 2 == 0 and part.strip():
                model_text(part, f"report-{place}")
            elif place % 2 and (folder / part).is_file():
                st.image(str(folder / part), width="stretch")
