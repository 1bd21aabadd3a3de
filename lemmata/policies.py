"""Builds the named policies of a run from its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from core.config import STRICT, Positive, read_config, settings
from core.errors import LemmataError
from policy.endpoint import Endpoint, EndpointConfig
from policy.guard import Guard
from policy.interface import Sampling
from policy.local_config import LocalConfig, model_folder, weights_digest
from policy.meters import Meters
from policy.replay import Replay, ReplayConfig
from policy.throttle import Throttle

ROLES = ("prover", "verifier", "meta_verifier")
GRADER = "grader"  # a role of contests alone


@settings(frozen=True, config=STRICT)
class SamplingConfig:
    """How to sample."""

    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Positive | None
    stop: tuple[str, ...]


@settings(frozen=True, config=STRICT)
class RoleConfig(SamplingConfig):
    """Which policy plays a role, and how it samples."""

    policy: str

    @property
    def sampling(self) -> Sampling:
        """The sampling settings of the role."""
        return Sampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, stop=self.stop)


@dataclass(frozen=True)
class Policies:
    """The policies of a run by role. Roles that name the same policy share it, with its limit on calls in flight."""

    roles: Mapping[str, RoleConfig]
    by_name: Mapping[str, Throttle]

    def of(self, role: str) -> Throttle:
        """The policy that plays a role."""
        return self.by_name[self.roles[role].policy]

    async def close(self) -> None:
        """Close every policy."""
        for policy in self.by_name.values():
            await policy.close()


def build_policies(
    config: Mapping[str, Any], guard: Guard, meters: Meters, known: Mapping[str, Throttle] | None = None
) -> Policies:
    """The policies that the roles of ``config`` name, those of ``known`` used again.

    Raises:
        LemmataError: a role names no known policy, or a policy is set up wrongly.
    """
    read_config(SamplingConfig, config["sampling"], "sampling")
    played = (*ROLES, GRADER) if GRADER in config else ROLES
    roles = {role: read_config(RoleConfig, config[role], role) for role in played}
    named = named_policies(config)
    for role, settings_of_role in roles.items():
        if settings_of_role.policy not in named:
            raise LemmataError(f"{role}.policy={settings_of_role.policy}: no such policy; known: {', '.join(named)}.")
    used = dict.fromkeys(role.policy for role in roles.values())
    known = known or {}
    return Policies(roles, {name: known.get(name) or _build(name, named[name], guard, meters) for name in used})


def named_policies(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The settings of every policy by its name. Raises LemmataError for one that is no mapping."""
    named = {"policy": config["policy"]}
    for name, changes in config["policies"].items():
        if not isinstance(changes, Mapping):
            raise LemmataError(
                f"policies.{name}={changes!r}: give its settings one by one, +policies.{name}.model=MODEL"
            )
        named[name] = merged(config["policy"], changes)
    return named


def weights_of(config: Mapping[str, Any]) -> dict[str, str]:
    """A digest of the weights of each policy that runs a model in this process."""
    local = {name: values.get("model") for name, values in named_policies(config).items() if _is_local(values)}
    return {name: weights_digest(model_folder(model)) for name, model in local.items() if isinstance(model, str)}


def _is_local(values: Mapping[str, Any]) -> bool:
    return values.get("kind") == "local"


def _build(name: str, config: Mapping[str, Any], guard: Guard, meters: Meters) -> Throttle:
    where = name if name == "policy" else f"policies.{name}"
    values = {key: value for key, value in config.items() if key != "kind"}
    kind = config.get("kind")
    if kind == "endpoint":
        endpoint = read_config(EndpointConfig, values, where)
        return Throttle(Endpoint(name, endpoint, guard, meters), endpoint.concurrency, guard, meters)
    if kind == "replay":
        replay = read_config(ReplayConfig, values, where)
        return Throttle(Replay(name, replay), replay.concurrency, guard, meters)
    if kind == "local":
        return _local(name, where, values, guard, meters)
    raise LemmataError(f"{where}.kind={kind!r}: known kinds are endpoint, local and replay.")


def _local(name: str, where: str, values: Mapping[str, Any], guard: Guard, meters: Meters) -> Throttle:
    local = read_config(LocalConfig, values, where)
    try:
        from policy.local import Local  # noqa: PLC0415  loads torch
    except ImportError as error:
        raise LemmataError(
            f"{where}.kind=local needs torch and transformers: pip install '.[model]' ({error})"
        ) from error
    return Throttle(Local(name, local), local.concurrency, guard, meters)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, nested mappings merged. A policy of another kind starts from nothing."""
    if "kind" in changes and changes["kind"] != base.get("kind"):
        return dict(changes)
    result = dict(base)
    for key, value in changes.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return result
