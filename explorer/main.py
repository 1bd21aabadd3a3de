"""App entry: the pages and their addresses."""

from html import escape

import streamlit as st

from explorer.ui import (
    agreement,
    compare,
    diff,
    evaluation,
    lab,
    labeling,
    lineage,
    matrix,
    outcomes,
    own_labels,
    problem,
    proof,
    record,
    run,
    runs,
    search,
    training,
)  # fmt: skip
from explorer.ui.context import Page, query, read_only, show_page
from explorer.ui.navigation import install_navigation
from explorer.ui.style import CSS, ICON
from explorer.ui.widgets import href

# Address: (page, name in the menu). Pages without a name are reached by links only.
PAGES: dict[str, tuple[Page, str]] = {
    "": (runs.show, "Runs"),
    "run": (run.show, "Problems"),
    "search": (search.show, "Search"),
    "outcomes": (outcomes.show, "Outcomes"),
    "matrix": (matrix.show, "Problems × runs"),
    "compare": (compare.show, "Compare runs"),
    "label": (labeling.show, "Label"),
    "labels": (own_labels.show, "My labels"),
    "agreement": (agreement.show, "Agreement and export"),
    "training": (training.show, "Training"),
    "lab": (lab.show, "Lab"),
    "evaluation": (evaluation.show, ""),
    "problem": (problem.show, ""),
    "proof": (proof.show, ""),
    "lineage": (lineage.show, ""),
    "diff": (diff.show, ""),
    "record": (record.show, ""),
}
MENU = {
    "Read": ("", "run", "search", "outcomes", "matrix", "compare"),
    "Judge": ("label", "labels", "agreement"),
    "Train": ("training", "lab"),
}
OF_A_RUN = frozenset(["run", "search", "outcomes", "label", "labels", "agreement"])  # their links keep the run


def main() -> None:
    """Shows the page of the address."""
    st.set_page_config(page_title="Lemmata", page_icon=ICON, layout="wide")
    st.html(f"<style>{CSS}</style>")
    asked = query("page")
    with st.sidebar:
        st.html(_menu(asked))
        install_navigation()
    page, _ = PAGES.get(asked, PAGES[""])
    show_page(page)


def _menu(here: str) -> str:
    """Menu as HTML (constant texts only); links keep the chosen run."""
    run_name = query("run")
    parts = ['<div class="lm-name">Lemmata</div>']
    for section, names in MENU.items():
        parts.append(f'<div class="lm-section">{section}</div>')
        for name in names:
            kept = (
                {"run": run_name}
                if run_name and name in {"run", "search", "outcomes", "label", "labels", "agreement"}
                else {}
            )
            current = ' class="here" aria-current="page"' if name == here else ""
            parts.append(f'<a href="{escape(href(name, **kept))}"{current}>{PAGES[name][1]}</a>')
    if read_only():
        parts.append('<div class="lm-section">read-only</div>')
    return f'<nav class="lm-menu">{"".join(parts)}</nav>'
