"""Label bar: the component with the keys and buttons by which a person labels what the page shows."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from explorer.labels import Subject

STATIC = Path(__file__).parent / "static"
KEY = "label-bar"
RUBRIC: Mapping[Subject, Mapping[float, str]] = {
    "proof": {0.0: "wrong, or a fatal gap", 0.5: "correct overall, details missing", 1.0: "complete and rigorous"},
    "analysis": {0.0: "its issues do not exist", 0.5: "some exist, or the score is off", 1.0: "its issues are real"},
}
KEYS = {0.0: "0", 0.5: "5", 1.0: "1"}
SHOWN = {0.0: "0", 0.5: "½", 1.0: "1"}


@lru_cache
def static_text(*names: str) -> str:
    """Contents of files of the folder static, one after the other."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def show_label_bar(data: Mapping[str, Any], subject: Subject, on_act: Callable[[], None]) -> None:
    """Shows the bar at the foot of the page; `acted` returns its action in ``on_act``."""
    scores = [
        {"score": score, "key": KEYS[score], "shown": SHOWN[score], "words": words}
        for score, words in RUBRIC[subject].items()
    ]
    bar = component(
        "lemmata_label_bar",
        html='<div class="bar" role="toolbar" aria-label="Label"></div>',
        css=static_text("label_bar.css"),
        js=static_text("passages.js", "label_bar.js"),
    )
    with st.container(key="label-bar-place"):
        bar(key=KEY, data={**data, "scores": scores, "subject": subject}, on_act_change=on_act)


def acted() -> Mapping[str, Any]:
    """Action that the bar sent."""
    action = st.session_state[KEY].get("act")
    return action if isinstance(action, Mapping) else {}


def item_mark(record_id: str) -> str:
    """Mark, as HTML, that the text before it is shown; the bar acts only where it finds the mark of its item."""
    return f'<div data-lemmata-item="{record_id}"></div>'
