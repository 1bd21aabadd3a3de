"""Previous and next: neighbors of a record in the order of the list that the reader came from."""

from collections.abc import Callable, Sequence
from html import escape

import streamlit as st

from explorer.ui.widgets import href


def keep_order(kind: str, place: str, names: Sequence[str]) -> None:
    """Keeps the order in which a list shows records of a kind, below a run or problem."""
    orders: dict[tuple[str, str], list[str]] = st.session_state.setdefault("list-orders", {})
    orders[kind, place] = list(names)


def neighbor_links(
    kind: str, place: str, here: str, default: Sequence[str], target: Callable[[str], dict[str, str]]
) -> str:
    """Links to the records before and after one, as HTML; ``default``: the order where no list was shown.

    ``target``: the query parameters of a record's page. Empty where there is no other record.
    """
    names = st.session_state.get("list-orders", {}).get((kind, place), default)
    if here not in names:
        names = list(default)
    if here not in names or len(names) < 2:
        return ""
    at = names.index(here)
    before = _arrow("← previous", target(names[at - 1])) if at else '<span class="lm-soft">← previous</span>'
    after = _arrow("next →", target(names[at + 1])) if at + 1 < len(names) else '<span class="lm-soft">next →</span>'
    return f'<span class="lm-neighbors">{before} <span class="lm-soft">{at + 1} of {len(names)}</span> {after}</span>'


def _arrow(words: str, query: dict[str, str]) -> str:
    return f'<a href="{escape(href(**query))}">{words}</a>'
