"""Reward shaping: terms for the length and the language of an answer."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from core.config import STRICT, Count, NonNegativeFloat, Positive, settings
from core.reward import Reward, add_parts

Language = Literal["ar", "de", "el", "en", "es", "fr", "he", "hi", "it", "ja", "ko", "pt", "ru", "th", "zh"]

# Scripts by the first word of a character's Unicode name. Languages of one script cannot be told apart by it.
_SCRIPTS: dict[str, frozenset[str]] = {
    **{language: frozenset({"LATIN"}) for language in ("de", "en", "es", "fr", "it", "pt")},
    "ar": frozenset({"ARABIC"}),
    "el": frozenset({"GREEK"}),
    "he": frozenset({"HEBREW"}),
    "hi": frozenset({"DEVANAGARI"}),
    "ja": frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    "ko": frozenset({"HANGUL"}),
    "ru": frozenset({"CYRILLIC"}),
    "th": frozenset({"THAI"}),
    "zh": frozenset({"CJK"}),
}
_UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI"})  # no spaces between words: each letter counts as one
_DELIMITER = re.compile(r"(\$\$|\$|\\[()\[\]])")
_CLOSES = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_WORD = re.compile(r"\\?[^\W\d_]+")


@settings(frozen=True, config=STRICT)
class LengthConfig:
    """A penalty that rises from ``soft_limit`` tokens linearly to ``weight`` at ``cache`` tokens more."""

    soft_limit: Count
    cache: Positive
    weight: NonNegativeFloat = 1.0


@settings(frozen=True, config=STRICT)
class LanguageConfig:
    """A bonus: ``weight`` times the fraction of words in the script of ``language`` (DeepSeek-R1: weight 1)."""

    language: Language
    weight: NonNegativeFloat = 1.0


@settings(frozen=True, config=STRICT)
class RewardShapingConfig:
    """Terms that are added to a reward for length and language; None: no such term."""

    length: LengthConfig | None
    language: LanguageConfig | None


NO_SHAPING = RewardShapingConfig(None, None)


def shape_reward(reward: Reward, text: str, tokens: int, config: RewardShapingConfig) -> Reward:
    """Adds the configured parts ``length`` and ``language`` to the reward of an answer of ``tokens`` tokens."""
    if config.length is not None:
        part = {"length": length_penalty(tokens, config.length)}
        reward = add_parts(reward, part, {"length": config.length.weight})
    if config.language is not None:
        part = {"language": language_consistency(text, config.language.language)}
        reward = add_parts(reward, part, {"language": config.language.weight})
    return reward


def length_penalty(tokens: int, config: LengthConfig) -> float:
    """Returns 0 up to the soft limit, then falls linearly to -1 at ``cache`` tokens more.

    DAPO, arXiv 2503.14476, equation 13.
    """
    return -min(max(tokens - config.soft_limit, 0) / config.cache, 1.0)


def language_consistency(text: str, language: Language) -> float:
    """Returns the fraction of an answer's words in the script of ``language``, in [0, 1]; 1 where there are no words.

    A word is a run of two letters or more of one script, or one letter of a script that puts no spaces between words.
    Text between dollar signs, ``\\(`` and ``\\)`` or ``\\[`` and ``\\]`` is mathematics, up to a blank line; it has no
    words, nor is a LaTeX command one. Reasoning counts, as in DeepSeek-R1. O(length of the text).
    """
    matching = others = 0
    for prose in _prose(text):
        for word in _WORD.finditer(prose):
            if word[0][0] != "\\":
                for script, letters in _runs(word[0]):
                    weight = letters if script in _UNSPACED else int(letters > 1)
                    matching += weight * (script in _SCRIPTS[language])
                    others += weight * (script not in _SCRIPTS[language])
    return matching / (matching + others) if matching + others else 1.0


def _prose(text: str) -> list[str]:
    """Returns the text outside of formulas. Delimiters do not nest, so that one pass finds every pair."""
    pieces = _DELIMITER.split(text)  # text, delimiter, text, delimiter, ..., text
    prose, place = [pieces[0]], 1
    while place < len(pieces):
        closed = place + 2 < len(pieces) and pieces[place + 2] == _CLOSES.get(pieces[place])
        if closed and "\n\n" not in pieces[place + 1]:
            prose.append(pieces[place + 3])
            place += 4
        else:
            prose.append(pieces[place + 1])
            place += 2
    return prose


def _runs(word: str) -> list[tuple[str, int]]:
    """Splits a word into runs of one script, each with its number of letters."""
    runs: list[tuple[str, int]] = []
    for letter in word:
        script = _script(letter)
        if runs and runs[-1][0] == script:
            runs[-1] = (script, runs[-1][1] + 1)
        else:
            runs.append((script, 1))
    return runs


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "UNKNOWN").split()[0].split("-")[0]
