"""Texts by models on a page: mathematics renders, text stays text, nothing becomes active."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from explorer.inert_text import JOINER
from explorer.math_markdown import normalize, plain_text
from tests.shared import shared

MATH = re.compile(r"\$\$\n(.*?)\n *\$\$|(?<![\\$])\$(?!\$)((?:[^$])+?)\$", re.DOTALL)
ACTIVE = {"html_inline", "html_block", "link_open", "image", "inline_html"}
SNIPPETS = (
    r"\(", r"\)", r"\[", r"\]", "$", "$$", "\\\\[4mm]", r"\tag{1}", "\n", "\n\n", "- ", "1. ", "> ", "`", "```\n",
    "~~~\n",
    "|",    "[a]", "(javascript:alert(1))", "![", "](", "]: x", "[^1]", "<script>", "</p>", "<!--", "&lt;", "&#58;",
    ":smile:",
    ":red[", ":material/bolt:", ":::note", "http://a.b", "www.a.b", "a@b.c", "\\", "{", "}", r"\begin{align}",
    r"\end{align}",    "# ", "x", "2", " ", "    ", "x^2", "%", "~", "**", "_", r"\$", r"\text{",
    r"\href{javascript:a}{b}", "\t",
    "\u202e",
)  # fmt: skip


PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs")), max_size=4)


def visible(text: str) -> str:
    """The text as a reader sees it: without joiners and escapes."""
    return re.sub(r"\\([$~`\\:])", r"\1", text.replace(JOINER, ""))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (r"Let \(x<y\).", "Let $x< y$."),
        (r"so \[ a \\[4mm] b \] holds", "so \n$$\na \\\\[4mm] b\n$$\nholds"),
        ("$$x$$", "$$\nx\n$$"),
        ("a $x$ and $ y^2 $", "a $x$ and $y^2$"),
        (r"\[ x = 1 \tag{3} \].", "$$\nx = 1 .\n\\tag{3}\n$$"),
        ("1. one\n   \\[\n   x\n\n   y\n   \\]\n   two", "1. one\n   $$\n   x\n   y\n   $$\n   two"),
        ("- so \\[x\\] then", "- so \n  $$\n  x\n  $$\n  then"),
        ("> \\[x\\]", "> $$\n> x\n> $$"),
        (r"\begin{align}a&=b\\c&=d\end{align}", "$$\n\\begin{align}a&=b\\\\c&=d\\end{align}\n$$"),
        (r"\begin{eqnarray*}a\end{eqnarray*}", "$$\n\\begin{align*}a\\end{align*}\n$$"),
        (r"\(\begin{align}a\end{align}\)", r"$\begin{aligned}a\end{aligned}$"),
        (r"\(\text{if $x$}\)", r"$\text{if \(x\)}$"),
        (r"\(5\$\)", r"$5\text{\textdollar}$"),
        (r"\(a\)\(b\)2", f"$a${JOINER}$b${JOINER}2"),
        (r"| \(|a|\) | b |", r"| $\vert a\vert$ | b |"),
        ("# Title", "#### Title"),
        (r"The score is \boxed{0.5}", r"The score is $\boxed{0.5}$"),
        ("One.\nTwo: so\nthree.", "One.  \nTwo: so\nthree."),
        (r"\textbf{Claim \(x\).} Then\item[(a)] one\ two \qed", "**Claim $x$.** Then\n- (a) one two ∎"),
        ("so $\\begin{cases}1\n\n2\\end{cases}$", "so $\\begin{cases}1 2\\end{cases}$"),
    ],
)
def test_mathematics_becomes_what_katex_reads(written: str, expected: str) -> None:
    assert normalize(written) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "From $5, to $6, or $7.",
        "US$5 and US$6",
        "a \\( b",
        "\\] alone",
        "5 ~ 6 ~ 7",
        "`open",
        "$$",
        "$ 5",
    ],
)
def test_text_that_is_no_mathematics_stays_text(text: str) -> None:
    assert visible(normalize(text)) == text
    assert not MATH.search(normalize(text))


def assert_inert(text: str) -> None:
    """Asserts that the text parses to words and formatting only."""
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        for part in (token, *(token.children or ())):
            assert part.type not in ACTIVE, part
            if part.type == "text":
                assert not re.search(r":[\w+/-]+:|:\w+\[|https?:/|www\.|@\w", part.content), part.content
    assert not re.search(r"&(#|\w)", MATH.sub("", text))


@pytest.mark.parametrize(
    "trap", [*SNIPPETS, "[a](http://b)", "[a]: http://b\n\n[a]", "&#58;smile&#58;", "<http://a.b>"]
)
def test_traps_are_inert(trap: str) -> None:
    assert_inert(normalize(trap))


@example("\\    \\(")  # a control space, and an indent behind it
@example("\\\\[4mm]$$x$$")  # a line break before a display
@example("&lt;$$x$$")  # the end of a sentence before a display
@example("```\n> :smile:")  # a quotation behind a fence that is none
@given(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=4), max_size=14).map("".join))
def test_whatever_is_written_is_inert_and_a_second_pass_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert_inert(once)
    assert normalize(once) == once


@given(
    st.lists(st.sampled_from(["word", "two words", ", ", ".", "\n\n", "(5)", "a_b", "x = y"]), max_size=12).map(
        " ".join
    )
)
def test_plain_words_are_left_alone(text: str) -> None:
    assert normalize(text) == text


@given(st.lists(st.sampled_from(SNIPPETS) | PRINTABLE, max_size=14).map("".join))
def test_a_name_is_shown_letter_by_letter(name: str) -> None:
    markdown = plain_text(name)
    assert_inert(markdown)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    shown = "".join(child.content for token in tokens for child in token.children or ())
    assert shown.replace(JOINER, "") == " ".join(name.replace("\u202e", "").split())


def test_the_released_proofs_keep_all_their_displays() -> None:
    folder = shared("data/deepseek_math_v2/outputs")
    rows = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert len(rows) == 84
    for row in rows:
        for text in (row["question"], row["model_prediction"]["proof"]):
            once = normalize(text)
            assert normalize(once) == once
            assert_inert(once)
            displays = len(re.findall(r"(?<!\\)\\\[", text)) + text.count("$$") // 2
            assert len(re.findall(r"^[ >]*(?:[-*+] |\d+\. )?\$\$$", once, re.MULTILINE)) >= 2 * displays
            assert not re.search(r"(?<!\\)\\[()\[\]]", MATH.sub("", once))
