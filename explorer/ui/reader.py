"""Reader: components that link a proof with the passages that its analyses quote, and that extend a long text."""

from collections.abc import Sequence

import streamlit as st
from streamlit.components.v2 import component

from explorer.quotes import QuotedPassage
from explorer.ui.address import set_parameters
from explorer.ui.label_bar import static_text

KEY = "reader"


def link_quotes(passages: Sequence[QuotedPassage], judges: int, length: int) -> None:
    """Tints the quoted passages of the proof above, with notes in its margin; ``length``: characters of the proof."""
    data = [
        {
            "text": one.passage.text,
            "near": one.passage.start / max(length, 1),
            "analyses": list(one.analyses),
            "stops": one.stops,
            "note": _note(one, judges),
        }
        for one in passages
    ]
    reader = component(
        "lemmata_reader",
        html='<div class="notes"></div>',
        css=static_text("reader.css"),
        js=static_text("passages.js", "reader.js"),
    )
    with st.container(key="reader-place"):
        reader(key=KEY, data={"passages": data}, on_open_change=_open)


def _note(one: QuotedPassage, judges: int) -> str:
    if one.stops:
        return f"{one.stops} of {judges} {'judge' if judges == 1 else 'judges'} stopped here"
    return f"quoted by {len(one.analyses)} of {judges}"


def _open() -> None:
    """Opens the analysis whose quotation was clicked."""
    name = st.session_state[KEY].get("open")
    if isinstance(name, str):
        set_parameters(analysis=name)
