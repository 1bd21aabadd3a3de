"""Colors and CSS (static/style.css). All constant: no data of a run enters a style sheet."""

from pathlib import Path

# The end-of-proof sign, as a data URL: Streamlit would take a character for the address of an image.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M3 1h10v14H3z' fill='%2326241f'/%3E%3C/svg%3E"
)
RIGHT, HALF, WRONG, NONE = "#44704f", "#86600f", "#a84a36", "#706b60"  # at least 4.5:1 under white letters

CSS = (Path(__file__).parent / "static" / "style.css").read_text(encoding="utf-8")


def score_class(score: float | None) -> str:
    """CSS class of a score in [0, 1]."""
    if score is None:
        return ""
    return "lm-right" if score >= 0.995 else "lm-wrong" if score < 0.25 else "lm-half"


def score_color(score: float | None) -> str:
    """Color of a score in [0, 1]."""
    return {"": NONE, "lm-right": RIGHT, "lm-half": HALF, "lm-wrong": WRONG}[score_class(score)]
