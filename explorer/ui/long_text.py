"""Long texts: a page draws the part that is read, and the rest as the reader comes near it."""

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st
from streamlit.components.v2 import component

from explorer.chunks import chunks
from explorer.math_markdown import normalize
from explorer.ui.label_bar import static_text


@lru_cache(maxsize=64)
def markdown_chunks(text: str) -> list[str]:
    """Markdown of an untrusted text, in chunks."""
    return chunks(normalize(text))


@st.fragment
def show_chunks(parts: Sequence[str], key: str) -> None:
    """Shows the first part of a long text, and more when the reader comes to its end."""
    name = f"shown-{key}"
    shown = min(st.session_state.setdefault(name, 1), len(parts))
    for part in parts[:shown]:
        st.markdown(part, anchors=False)
    if shown == len(parts):
        return
    if st.button(f"Show all {len(parts)} parts (to print or search)", key=f"all-{key}"):
        st.session_state[name] = len(parts)
        st.rerun(scope="fragment")
    more = component("lemmata_more", html='<button class="more"></button>', js=static_text("more.js"))

    def extend() -> None:
        st.session_state[name] = shown + 1

    words = f"part {shown} of {len(parts)}: more follows"
    more(key=f"more-{key}", data={"shown": shown, "words": words}, on_more_change=extend)
