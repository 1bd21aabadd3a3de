"""Parts of pages. Whatever comes from a run goes through ``escape`` into HTML, or through `normalize` into Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from explorer.maths import normalize
from explorer.ui.style import score_class

PER_PAGE = 50


def href(page: str, **query: object) -> str:
    """The address of a page; every record has one that can be sent to somebody.

    The page is a parameter, not a path: below a path Streamlit's client would first look for its server there.
    """
    given = {"page": page} | {key: str(value) for key, value in query.items() if value not in {None, ""}}
    return f"./?{urlencode(given)}" if page else "./"


def link(words: str, page: str, **query: object) -> str:
    """A link as HTML."""
    return f'<a href="{escape(href(page, **query))}">{escape(words)}</a>'


def links(*html: str) -> None:
    """Links in a row."""
    st.html(f'<div class="lm-links">{"".join(html)}</div>')


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def badge(score: float | None, words: str | None = None, title: str = "") -> str:
    """A score on its color, as HTML."""
    shown = escape(words if words is not None else number(score))
    return f'<span class="lm-badge {score_class(score)}" title="{escape(title)}">{shown}</span>'


def plain_badge(words: str) -> str:
    """Words in a quiet frame, as HTML."""
    return f'<span class="lm-badge lm-plain">{escape(words)}</span>'


def facts(values: Mapping[str, str]) -> None:
    """Figures with their names; the values are HTML."""
    cells = [f'<div class="lm-fact"><b>{value}</b><span>{escape(name)}</span></div>' for name, value in values.items()]
    st.html(f'<div class="lm-facts">{"".join(cells)}</div>')


def note(words: str, *, bad: bool = False) -> None:
    """A message to the reader."""
    st.html(f'<div role="alert" class="lm-note{" bad" if bad else ""}">{escape(words)}</div>')


def notes(messages: Sequence[str]) -> None:
    """Messages about what could not be read, the first few in full."""
    for message in messages[:3]:
        note(message)
    if len(messages) > 3:
        note(f"and {len(messages) - 3} more damaged places")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = ()) -> None:
    """A table whose cells are HTML."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="num">{cell}</td>' if place in numeric else f"<td>{cell}</td>" for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    st.html(f'<table class="lm-table"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>')


def paged(items: Sequence, key: str, per_page: int = PER_PAGE) -> Sequence:
    """The items of the page that the reader chose."""
    pages = max(1, -(-len(items) // per_page))
    if pages == 1:
        return items
    page = st.pagination(pages, key=key)
    return items[(page - 1) * per_page : page * per_page]


def crumbs(*parts: str) -> None:
    """Where the reader is; parts are HTML."""
    st.html(f'<div class="lm-crumbs">{" &rsaquo; ".join(parts)}</div>')


def model_text(text: str, key: str) -> None:
    """A text that a model or a data file wrote, with its mathematics."""
    with st.container(key=f"text-{key}"):
        st.markdown(normalize(text), anchors=False)


def raw(text: str) -> None:
    """A text letter by letter."""
    st.html(f'<pre class="lm-raw">{escape(text)}</pre>')


def folded(title: str, text: str | None) -> None:
    """A text letter by letter, behind a title."""
    if text:
        with st.expander(title):
            raw(text)


def dot(score: float | None, address: str, title: str, *, selected: bool) -> str:
    """A small colored square that leads to a proof, as HTML."""
    classes = f"lm-dot {score_class(score)}{' sel' if selected else ''}"
    return f'<a class="{classes}" href="{escape(address)}" title="{escape(title)}"></a>'


def histogram(counts: Mapping[str, tuple[int, float | None]]) -> None:
    """Bars by name: how many, and the score that colors them."""
    most = max([count for count, _ in counts.values()] or [1]) or 1
    bars = "".join(
        f'<div class="{score_class(score) or "lm-dot"}" style="height:{100 * count / most:.1f}%">'
        f"<span>{count}</span></div>"
        for count, score in counts.values()
    )
    axis = "".join(f"<span>{escape(name)}</span>" for name in counts)
    st.html(f'<div style="padding-top:1.3rem"><div class="lm-hist">{bars}</div><div class="lm-axis">{axis}</div></div>')
