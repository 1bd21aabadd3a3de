"""Terminal text: texts of models and files without markup and without control codes."""

from rich.text import Text

_HIDDEN = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd") | {ord("\n"): "\n", ord("\t"): "\t"}


def plain(text: str, style: str = "") -> Text:
    """``text`` for ``Console.print``; control characters other than line end and tab become U+FFFD."""
    return Text(text.translate(_HIDDEN), style)
