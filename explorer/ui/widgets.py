"""Widgets of the pages. Text from a run goes through ``escape`` into HTML, or through `normalize` into Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from core.document import counted
from explorer.math_markdown import plain_text
from explorer.ui.long_text import markdown_chunks, show_chunks
from explorer.ui.style import score_class

PER_PAGE = 50
KEPT = ("labeler", "blind", "what")  # parameters of the labeler, which every link keeps


def href(page: str, **query: object) -> str:
    """Address of a page, which can be shared.

    The page is a query parameter, not a path: below a path Streamlit's client looks for its server there.
    """
    kept = {name: st.query_params[name] for name in KEPT if name in st.query_params}
    given = {"page": page} | kept | {key: str(value) for key, value in query.items() if value not in {None, ""}}
    given = {key: value for key, value in given.items() if value}
    return f"./?{urlencode(given)}" if given else "./"


def here(**changes: str | None) -> str:
    """Address of the current page with other parameters; None removes one."""
    given = {name: value for name, value in (st.query_params.to_dict() | changes).items() if value}
    return f"./?{urlencode(given)}" if given else "./"


def link(words: str, page: str, /, **query: object) -> str:
    """Link as HTML."""
    return f'<a href="{escape(href(page, **query))}">{escape(words)}</a>'


def page_title(text: str) -> None:
    """Shows a title that may contain names from a run: as text, not as Markdown."""
    st.title(plain_text(text), anchor=False)


def links(*html: str) -> None:
    """Shows links in a row."""
    st.html(f'<div class="lm-links">{"".join(html)}</div>')


def number(value: float | None, digits: int = 3) -> str:
    """Formats a number; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def badge(score: float | None, words: str | None = None, title: str = "") -> str:
    """Score on its color, as HTML."""
    shown = escape(words if words is not None else number(score))
    return f'<span class="lm-badge {score_class(score)}" title="{escape(title)}">{shown}</span>'


def plain_badge(words: str) -> str:
    """Text in a neutral frame, as HTML."""
    return f'<span class="lm-badge lm-plain">{escape(words)}</span>'


def facts(values: Mapping[str, str]) -> None:
    """Shows values with their names; the values are HTML."""
    cells = [f'<div class="lm-fact"><b>{value}</b><span>{escape(name)}</span></div>' for name, value in values.items()]
    st.html(f'<div class="lm-facts">{"".join(cells)}</div>')


def note(words: str, *, bad: bool = False) -> None:
    """Shows a message."""
    st.html(f'<div role="alert" class="lm-note{" bad" if bad else ""}">{escape(words)}</div>')


def notes(messages: Sequence[str]) -> None:
    """Shows messages about records that could not be read, the first three in full."""
    for message in messages[:3]:
        note(message)
    if len(messages) > 3:
        note(f"{counted(len(messages) - 3, 'more message')} about records that could not be read.")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = ()) -> None:
    """Shows a table whose cells are HTML."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="num">{cell}</td>' if index in numeric else f"<td>{cell}</td>" for index, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    st.html(f'<table class="lm-table"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>')


def crumbs(*parts: str) -> None:
    """Shows the path to the current page; the parts are HTML."""
    st.html(f'<div class="lm-crumbs">{" &rsaquo; ".join(parts)}</div>')


def model_text(text: str, key: str) -> None:
    """Shows an untrusted text (by a model or from a data file) with its mathematics."""
    parts = markdown_chunks(text)
    with st.container(key=f"text-{key}"):
        if len(parts) == 1:
            st.markdown(parts[0], anchors=False)
        else:
            show_chunks(parts, key)


def raw(text: str) -> None:
    """Shows a text verbatim."""
    st.html(f'<pre class="lm-raw">{escape(text)}</pre>')


def folded(title: str, text: str | None) -> None:
    """Shows a text verbatim in a collapsed section, if there is one."""
    if text:
        with st.expander(title):
            raw(text)


def dot(score: float | None, address: str, title: str, *, selected: bool) -> str:
    """Small colored square with its score and a link to a proof, as HTML."""
    classes = f"lm-dot {score_class(score)}{' sel' if selected else ''}"
    sign = {"lm-right": "1", "lm-half": "½", "lm-wrong": "0"}.get(score_class(score), "–")
    words = escape(title)
    return f'<a class="{classes}" href="{escape(address)}" title="{words}" aria-label="{words}">{sign}</a>'


def histogram(counts: Mapping[str, tuple[int, float | None]]) -> None:
    """Shows a bar per name: its count, and the score that gives its color."""
    highest = max([count for count, _ in counts.values()] or [1]) or 1
    bars = "".join(
        f'<div class="{score_class(score) or "lm-dot"}" style="height:{100 * count / highest:.1f}%">'
        f"<span>{count}</span></div>"
        for count, score in counts.values()
    )
    axis = "".join(f"<span>{escape(name)}</span>" for name in counts)
    st.html(f'<div style="padding-top:1.3rem"><div class="lm-hist">{bars}</div><div class="lm-axis">{axis}</div></div>')
