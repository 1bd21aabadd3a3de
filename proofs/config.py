"""Checked settings: a dataclass beside the class it configures, filled from a plain mapping, unknown keys refused."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as settings

from proofs.errors import LemmataError

__all__ = ["STRICT", "read_config", "settings"]

STRICT = ConfigDict(extra="forbid")
C = TypeVar("C")


def read_config(cls: type[C], value: Mapping[str, Any], where: str) -> C:
    """An instance of the settings class ``cls``.

    Raises:
        LemmataError: a key is unknown, missing or of the wrong type; the message names it as the user writes it.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(value))
    except ValidationError as error:
        problems = [_explain(where, dict(item)) for item in error.errors()]
        raise LemmataError("; ".join(problems)) from error


def _explain(where: str, item: Mapping[str, Any]) -> str:
    key = ".".join([where, *(str(part) for part in item["loc"])])
    if item["type"] == "missing" or item.get("input") == "???":
        return f"{key} is not set; give it as {key}=VALUE"
    return f"{key}={item.get('input')!r}: {item['msg']}"
