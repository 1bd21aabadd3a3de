"""Widgets whose values are query parameters of the address: they survive reloads, and Back returns to them.

The address is the truth: a widget shows its parameter, and a change by the user is written there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.ui.context import query


def text_input(label: str, name: str, default: str = "", **options: Any) -> str:
    """Text field; returns its text."""
    return str(
        st.text_input(label, key=_bound(name, query(name, default), default), **_changes(name, default, options))
    )


def choice(label: str, name: str, options: Mapping[str, str], default: str, **settings: Any) -> str:
    """Row of options, by value and title; returns the chosen value."""
    asked = query(name, default)
    key = _bound(name, asked if asked in options else default, default)
    st.segmented_control(
        label, list(options), format_func=lambda value: options[value], key=key, required=True,
        **_changes(name, default, settings),
    )  # fmt: skip
    return str(st.session_state[key])


def select(label: str, name: str, options: Sequence[str], default: str, **settings: Any) -> str:
    """Drop-down list; returns the chosen option."""
    asked = query(name, default)
    key = _bound(name, asked if asked in options else default, default)
    return str(st.selectbox(label, options, key=key, **_changes(name, default, settings)))


def toggle(label: str, name: str, *, default: bool, **settings: Any) -> bool:
    """Switch; returns its state."""
    key = _bound(name, query(name, str(int(default))) == "1", default)
    return st.toggle(label, key=key, **_changes(name, default, settings))


def span(label: str, name: str, low: float, high: float, step: float, **settings: Any) -> tuple[float, float]:
    """Slider with two ends; returns both."""
    try:
        first, last = (float(part) for part in query(name, f"{low}_{high}").split("_"))
    except ValueError:
        first, last = low, high
    inside = (min(max(first, low), high), max(min(last, high), low))
    key = _bound(name, inside if inside[0] <= inside[1] else (low, high), (low, high))
    return st.slider(label, low, high, step=step, key=key, **_changes(name, (low, high), settings))


def page_number(name: str, pages: int) -> int:
    """Number of the shown page of a long list, with buttons."""
    asked = query(name, "1")
    number = min(max(int(asked), 1), pages) if asked.isdecimal() else 1
    return st.pagination(pages, key=_bound(name, number, 1), **_changes(name, 1, {}))


def number(name: str) -> int:
    """A parameter that is a whole number; 0 where it is none."""
    return int(query(name)) if query(name).isdecimal() else 0


def several(label: str, name: str, options: Sequence[str], default: Sequence[str], **settings: Any) -> list[str]:
    """List of options of which several may be chosen; returns those. A line of the parameter is an option."""
    asked = [one for one in query(name).split("\n") if one in options] if query(name) else list(default)
    key = _bound(name, asked, list(default))
    return list(st.multiselect(label, options, key=key, **_changes(name, list(default), settings)))


def whole(label: str, name: str, low: int, high: int, default: int, **settings: Any) -> int:
    """Slider of whole numbers; returns its value."""
    asked = query(name)
    value = min(max(int(asked), low), high) if asked.isdecimal() else default
    return int(st.slider(label, low, high, key=_bound(name, value, default), **_changes(name, default, settings)))


def share(label: str, name: str, default: float, step: float, **settings: Any) -> float:
    """Slider between 0 and 1; returns its value."""
    try:
        value = min(max(float(query(name, str(default))), 0.0), 1.0)
    except ValueError:
        value = default
    key = _bound(name, value, default)
    return float(st.slider(label, 0.0, 1.0, step=step, key=key, **_changes(name, default, settings)))


def set_parameters(**values: str | None) -> None:
    """Changes parameters of the address; None removes one."""
    for name, value in values.items():
        if value is not None:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def _bound(name: str, value: object, default: object) -> str:
    """Key of the widget, whose state becomes that of the address."""
    key = f"address-{name}"
    st.session_state[key] = value if value is not None else default
    return key


def _changes(name: str, default: object, options: Mapping[str, Any]) -> dict[str, Any]:
    on_change: Callable[..., None] = _write
    return {**options, "on_change": on_change, "args": (name, default)}


def _write(name: str, default: object) -> None:
    value = st.session_state[f"address-{name}"]
    words = str(int(value)) if isinstance(value, bool) else str(value)
    if isinstance(value, tuple):
        words = "_".join(f"{end:g}" for end in value)
    if isinstance(value, list):
        words = "\n".join(value)
    set_parameters(**{name: None if value == default else words})
