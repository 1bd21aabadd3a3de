"""Policies as Python callers name them: a preset, a model folder, a server's URL, settings, or an object."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from lemmata.compose import preset_names
from lemmata.engine import Engine
from policy.interface import Policy

PolicyLike = str | Path | Mapping[str, Any] | Policy


@dataclass(frozen=True)
class PolicyChoice:
    """``changes`` to the settings, and the ``policy`` object where it exists already."""

    changes: Mapping[str, Any]
    policy: Policy | None = None


def choose_policy(policy: PolicyLike, model: str | None = None) -> PolicyChoice:
    """The settings that make ``policy`` play the roles.

    Args:
        policy: a preset of lemmata/conf/policy ("shipped"), a folder with a DSA model, the base URL of an
            OpenAI-compatible server, the settings of a policy with its ``kind``, a ``lemmata.Engine``, or any object
            with the methods of `policy.interface.Policy`.
        model: name of the model at the server; for a URL or a preset.

    Raises:
        LemmataError: the text names nothing of these, or a URL comes without ``model``.
    """
    if isinstance(policy, Engine):
        return PolicyChoice(policy.changes, policy)
    if isinstance(policy, Mapping):
        kind = policy.get("kind")
        if kind not in ("endpoint", "local", "replay"):
            raise LemmataError(f"policy.kind={kind!r}: known kinds are endpoint, local and replay.")
        return PolicyChoice({"policy": kind, **{f"policy.{key}": value for key, value in policy.items()}})
    if not isinstance(policy, str | Path):
        return PolicyChoice({"policy": "object", "policy.name": policy.name}, policy)
    return PolicyChoice(_by_name(str(policy), model))


def _by_name(name: str, model: str | None) -> dict[str, Any]:
    if name.startswith(("http://", "https://")):
        if model is None:
            raise LemmataError(f"policy={name}: give the name of the model that this server runs, model=NAME")
        return {"policy": "endpoint", "policy.base_url": name, "policy.model": model}
    if name in preset_names("policy"):
        return {"policy": name} | ({"policy.model": model} if model else {})
    if Path(name).is_dir() or name.startswith("pkg://"):
        return {"policy": "local", "policy.model": name}
    raise LemmataError(
        f"policy={name}: neither a preset ({', '.join(preset_names('policy'))}), nor a folder, nor a URL that begins "
        "with http:// or https://"
    )
