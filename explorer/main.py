"""The app: its pages and their addresses."""

from html import escape

import streamlit as st

from explorer.ui import (
    compare,
    diff,
    labeling,
    laboratory,
    lineage,
    matrix,
    problem,
    proof,
    record,
    run,
    runs,
    training,
)  # fmt: skip
from explorer.ui.parts import href
from explorer.ui.site import Page, query, read_only, shown
from explorer.ui.style import CSS, ICON
from explorer.ui.turning import turn_pages

# Address: (page, its name in the menu). Those without a name are reached by links.
PAGES: dict[str, tuple[Page, str]] = {
    "": (runs.show, "Runs"),
    "run": (run.show, "Problems"),
    "matrix": (matrix.show, "Problems × runs"),
    "compare": (compare.show, "Two runs"),
    "label": (labeling.show, "Label"),
    "agreement": (labeling.show_agreement, "Agreement, export"),
    "training": (training.show, "Training"),
    "lab": (laboratory.show, "Laboratory"),
    "problem": (problem.show, ""),
    "proof": (proof.show, ""),
    "lineage": (lineage.show, ""),
    "diff": (diff.show, ""),
    "record": (record.show, ""),
}
MENU = {"Read": ("", "run", "matrix", "compare"), "Judge": ("label", "agreement"), "Train": ("training", "lab")}


def main() -> None:
    """Show the page of the address."""
    st.set_page_config(page_title="Lemmata", page_icon=ICON, layout="wide")
    st.html(CSS)
    asked = query("page")
    with st.sidebar:
        st.html(_menu(asked))
        turn_pages()
    page, _ = PAGES.get(asked, PAGES[""])
    shown(page)


def _menu(here: str) -> str:
    """The menu as HTML, of our own words alone; a run that was chosen stays chosen."""
    run_name = query("run")
    parts = ['<div class="lm-name">Lemmata</div>']
    for section, names in MENU.items():
        parts.append(f'<div class="lm-section">{section}</div>')
        for name in names:
            kept = {"run": run_name} if run_name and name in {"run", "label", "agreement"} else {}
            current = ' class="here" aria-current="page"' if name == here else ""
            parts.append(f'<a href="{escape(href(name, **kept))}"{current}>{PAGES[name][1]}</a>')
    if read_only():
        parts.append('<div class="lm-section">read-only</div>')
    return f'<nav class="lm-menu">{"".join(parts)}</nav>'
