"""Sortable tables: a click on a title sorts by its column; order and page are in the address."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Generic, TypeVar

import streamlit as st

from core.document import Cell, Table, shown
from explorer.math_markdown import plain_text
from explorer.ui import address
from explorer.ui.context import query
from explorer.ui.widgets import PER_PAGE, here

T = TypeVar("T")
Row = Sequence[str]
_NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """Column of a table. ``cell``: HTML of an item; ``key``: what the column sorts by (None: it does not sort).

    A key may be None for items without a value: they come last. ``numeric``: the first click shows the largest first.
    """

    title: str
    cell: Callable[[T], str]
    key: Callable[[T], Any] | None = None
    numeric: bool = False

    @property
    def slug(self) -> str:
        """Name of the column in the address."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def ordered(columns: Sequence[Column[T]], items: Iterable[T], order: str) -> list[T]:
    """Items in an order such as ``score`` or ``-score`` (descending); as given for an unknown one."""
    column = next((one for one in columns if one.slug == order.removeprefix("-") and one.key), None)
    found = list(items)
    if column is None or column.key is None:
        return found
    key = column.key
    known = [item for item in found if key(item) is not None]
    missing = [item for item in found if key(item) is None]
    return sorted(known, key=key, reverse=order.startswith("-")) + missing


def sorted_table(
    columns: Sequence[Column[T]],
    items: Iterable[T],
    name: str = "",
    *,
    per_page: int = PER_PAGE,
    below: Callable[[T], Iterable[Row]] | None = None,
) -> list[T]:
    """Shows a table in the order of the address and returns all items in that order.

    ``name`` keeps the parameters of several tables of a page apart; ``below``: rows that follow that of an item.
    """
    order = query(f"{name}sort")
    found = ordered(columns, items, order)
    rows: list[Row] = []
    for item in paged(found, f"{name}part", per_page):
        rows.append([column.cell(item) for column in columns])
        rows += below(item) if below else ()
    titles = "".join(_title(column, order, name) for column in columns)
    numeric = [' class="num"' if column.numeric else "" for column in columns]
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(numeric, row, strict=True))}</tr>" for row in rows
    )
    st.html(f'<table class="lm-table"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>')
    return found


def paged(items: Sequence[T], name: str = "part", per_page: int = PER_PAGE) -> Sequence[T]:
    """Items of the page of a long list that the address names, with buttons for the others."""
    pages = max(1, -(-len(items) // per_page))
    if pages == 1:
        return items
    page = address.page_number(name, pages)
    return items[(page - 1) * per_page : page * per_page]


def _title(column: Column[T], order: str, name: str) -> str:
    if column.key is None:
        return f"<th>{escape(column.title)}</th>"
    up, down = order == column.slug, order == f"-{column.slug}"
    following = f"-{column.slug}" if up or (column.numeric and not down) else column.slug
    sign = " ▴" if up else " ▾" if down else ""
    state = ' aria-sort="ascending"' if up else ' aria-sort="descending"' if down else ""
    target = escape(here(**{f"{name}sort": following, f"{name}part": None}))
    return f'<th{state}><a class="lm-stay" href="{target}">{escape(column.title)}{sign}</a></th>'


def document_table(found: Table, name: str) -> None:
    """Shows a table of a report; its columns sort by the number that a cell begins with, otherwise by its text."""
    columns: list[Column[Sequence[Cell]]] = [
        Column(
            title,
            lambda row, place=place: escape(shown(row[place])),
            lambda row, place=place: _leading(row[place]),
            numeric=place > 0 and any(isinstance(row[place], int | float) for row in found.rows),
        )
        for place, title in enumerate(found.columns)
    ]
    sorted_table(columns, found.rows, f"{name}-")
    if found.caption:
        st.caption(plain_text(found.caption))


def _leading(cell: Cell) -> tuple[int, float, str] | None:
    """Key of a cell: the number that it begins with, before texts."""
    if cell is None:
        return None
    number = _NUMBER.match(str(cell))
    return (0, float(number[0].replace(",", "")), "") if number else (1, 0.0, str(cell).lower())
