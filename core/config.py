"""Checked settings: a dataclass beside the class it configures, filled from a plain mapping, unknown keys refused."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as settings

from core.errors import LemmataError

__all__ = [
    "STRICT",
    "Count",
    "Name",
    "NonNegativeFloat",
    "Positive",
    "PositiveFloat",
    "Share",
    "read_config",
    "read_part",
    "settings",
]

STRICT = ConfigDict(extra="forbid")
C = TypeVar("C")
# What pydantic adds to the key of a setting that may be one of several types: which of them it tried.
_TYPE = re.compile(r"float|int|str|bool|(?:literal|tuple|list|dict)\[.*\]|constrained-\w+|function-\w+\[.*\]")

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(coerce_numbers_to_str=True)]  # a file called 2024 is no number


def read_config(cls: type[C], value: Any, where: str) -> C:
    """An instance of the settings class ``cls``; ``where`` is the key of ``value`` itself ("" for the whole).

    Raises:
        LemmataError: a key is unknown, missing or of the wrong type; the message names it as the user writes it.
    """
    unset = next(_unset(value, where), None)
    if unset is not None:
        raise LemmataError(_not_set(unset))
    try:
        return TypeAdapter(cls).validate_python(dict(value) if isinstance(value, Mapping) else value)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}  # by key and value; several where a setting may be one of several types
        for item in error.errors():
            given, said = _explain(where, dict(item))
            problems.setdefault(given, []).append(said)
        raise LemmataError("; ".join(f"{given}{', or '.join(said)}" for given, said in problems.items())) from error


def read_part(cls: type[C], config: Mapping[str, Any]) -> C:
    """The settings of a whole configuration that ``cls`` has fields for. Raises LemmataError as `read_config`."""
    names = [field.name for field in fields(cls)]  # pyright: ignore[reportArgumentType]
    return read_config(cls, {name: config[name] for name in names if name in config}, "")


def _unset(value: Any, where: str) -> Iterator[str]:
    """Keys that hold ``???``, which is how Hydra spells a setting that the user must give."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unset(item, f"{where}.{key}" if where else str(key))
    elif value == "???":
        yield where


def _not_set(key: str) -> str:
    # A named policy is the user's own, and Hydra wants a + for keys that are new to it.
    return f"{key} is not set; give it as {'+' if key.startswith('policies.') else ''}{key}=VALUE"


def _explain(where: str, item: Mapping[str, Any]) -> tuple[str, str]:
    """The key, with its value where that is wrong, and what is the matter with it."""
    parts = [str(part) for part in (where, *item["loc"])]
    key = ".".join(part for part in parts if part and not _TYPE.fullmatch(part))
    if item["type"] == "missing":
        return _not_set(key), ""
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{key}: ", "there is no such setting"
    if item["type"] == "value_error":  # raised by a settings class itself, about several of its fields
        return f"{key}: ", str(item["ctx"]["error"])
    said = item["msg"].replace("tuple", "list")
    return f"{key}={item.get('input')!r}: ", f"{said[:1].lower()}{said[1:]}"
