"""Texts of models and files in a report: data in Markdown, in HTML and in tables."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.document import Heading, Image, Table, Text, Verbatim, html, markdown

TRAP = "</pre><script>alert(1)</script> [x](javascript:y) ![i](z) | `c` **b** $\\frac12$ \n# no &amp; <!-- -->"


class Tags(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs if name != "class"]

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


@given(st.text() | st.just(TRAP))
def test_no_text_becomes_html(text: str) -> None:
    blocks = [Heading(text), Text(text), Table([text], [[text], [1], [None]], text), Verbatim(text)]
    plain = [Heading("x"), Text("x"), Table(["x"], [["x"], [1], [None]], "x" if text else ""), Verbatim("x")]
    found, wanted = parsed(html(text, blocks)), parsed(html("x", plain))
    assert (found.tags, found.attributes) == (wanted.tags, wanted.attributes)


def test_the_page_shows_the_text_and_runs_nothing() -> None:
    page = html("t", [Text(TRAP), Image("a.png", TRAP)])
    assert TRAP.splitlines()[0] in parsed(page).text
    assert "script" not in parsed(page).tags
    assert "default-src 'none'" in page


def test_markdown_keeps_a_cell_a_cell() -> None:
    lines = markdown([Table(["a", "b"], [[TRAP, 1234], [None, float("nan")]])]).splitlines()
    assert len(lines) == 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
    assert "\\<script\\>" in lines[2]
    assert "\\[x\\](javascript" in lines[2]
    assert lines[2].endswith("| 1,234 |")
    assert lines[3] == "| – | – |"


@given(st.lists(st.sampled_from(["-", "+", "1.", "2)", "===", "#", ">", "a_b", "word", "*", "`x`"]), max_size=80))
def test_a_long_text_is_one_paragraph_in_short_lines(words: list[str]) -> None:
    text = " ".join(words)
    written = markdown([Text(text)])
    assert all(len(line) <= 121 for line in written.splitlines())
    tokens = MarkdownIt("commonmark").parse(written)
    assert [token.type for token in tokens] == (["paragraph_open", "inline", "paragraph_close"] if words else [])
    shown = " ".join(child.content for token in tokens for child in token.children or () if child.type == "text")
    assert shown.split() == words
