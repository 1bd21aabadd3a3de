"""Checked settings: a dataclass beside the class that it configures, filled from a mapping; unknown keys are errors."""

import re
from collections.abc import Collection, Iterator, Mapping
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
    "merge_settings",
    "read_config",
    "settings",
]

STRICT = ConfigDict(extra="forbid")
C = TypeVar("C")
# Pydantic extends the key of a setting with several possible types by the name of the type that it tried.
_TYPE = re.compile(r"float|int|str|bool|(?:literal|tuple|list|dict)\[.*\]|constrained-\w+|function-\w+\[.*\]")

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(coerce_numbers_to_str=True)]  # a file called 2024 is no number


def read_config(cls: type[C], value: Any, where: str, *, deferred: Collection[str] = ()) -> C:
    """An instance of the settings class ``cls``.

    Args:
        cls: a settings class.
        value: the plain mapping.
        where: key of ``value`` itself, for messages ("" for a whole configuration).
        deferred: top-level keys that may still hold ``???``, because they are read later and only if used.

    Raises:
        LemmataError: a key is unknown, missing or of the wrong type; the message names it as the user writes it.
    """
    now = {key: item for key, item in value.items() if key not in deferred} if isinstance(value, Mapping) else value
    unset = next(_unset(now, where), None)
    if unset is not None:
        raise LemmataError(_not_set(unset))
    try:
        return TypeAdapter(cls).validate_python(dict(value) if isinstance(value, Mapping) else value)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}  # by key and value; several where a setting may be one of several types
        for item in error.errors():
            key, problem = _explain(where, dict(item))
            problems.setdefault(key, []).append(problem)
        raise LemmataError("; ".join(f"{key}{', or '.join(found)}" for key, found in problems.items())) from error


def merge_settings(
    base: Mapping[str, Any], changes: Mapping[str, Any], *, replaced: Collection[str] = ()
) -> dict[str, Any]:
    """``base`` overridden by ``changes``, nested mappings merged key by key; keys of ``replaced`` are taken whole."""
    result = dict(base)
    for key, value in changes.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping) and key not in replaced:
            result[key] = merge_settings(known, value, replaced=replaced)
        else:
            result[key] = value
    return result


def _unset(value: Any, where: str) -> Iterator[str]:
    """Keys that hold ``???``, Hydra's mark of a setting that the user must give."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unset(item, f"{where}.{key}" if where else str(key))
    elif value == "???":
        yield where


def _not_set(key: str) -> str:
    # Hydra requires a + for keys that its files do not hold, such as those of a named policy.
    return f"{key} is not set; give it as {'+' if key.startswith('policies.') else ''}{key}=VALUE"


def _explain(where: str, item: Mapping[str, Any]) -> tuple[str, str]:
    """The key (with its value where that is wrong) and the problem."""
    parts = [str(part) for part in (where, *item["loc"])]
    key = ".".join(part for part in parts if part and not _TYPE.fullmatch(part))
    if item["type"] == "missing":
        return _not_set(key), ""
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{key}: ", "there is no such setting"
    if item["type"] == "value_error":  # raised by a settings class itself, about several of its fields
        return f"{key}: " if key else "", str(item["ctx"]["error"])
    message = item["msg"].replace("tuple", "list")
    return f"{key}={item.get('input')!r}: ", f"{message[:1].lower()}{message[1:]}"
