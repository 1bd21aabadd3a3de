"""Compact prompt texts for small models that read them every time."""

from functools import cache, partial
from importlib import resources

from core.templates import REQUIRED, Templates

# What a tokenizer of the lab's texts keeps apart: digits, variables, names of sequences, signs with their spaces, ends
# of lines, and the words by which an analysis decides (`lab.walkthrough`): a token that held the last words of a proof
# and the verdict on it, or two decisions, would make them at once.
DECISIONS = r" (?:same|other|equal|below|above|holds|fails|open|true|false)(?![A-Za-z])"
SYMBOLS = rf"\n+|{DECISIONS}| ?(?:<=|>=|!=|[-+*/=<>]) ?|[\^()]|[0-9]|(?<![A-Za-z])[xyznkmjtSu](?![A-Za-z])"


def named_templates(name: str | None) -> Templates:
    """The texts that a setting ``prompts`` names: lab, plain, a folder; paper, or None, for those of core/prompts.

    Raises LemmataError as `core.templates.Templates.load`.
    """
    known = {"lab": templates, "plain": Templates.plain, "paper": partial(Templates.load, None)}
    return known[name]() if name in known else Templates.load(name)


@cache
def templates() -> Templates:
    """The texts of this folder; the models that read them compare no proofs."""
    files = {name: resources.files("lab").joinpath("prompts", f"{name}.txt") for name in REQUIRED}
    return Templates({name: file.read_text(encoding="utf-8") for name, file in files.items() if file.is_file()}, False)
