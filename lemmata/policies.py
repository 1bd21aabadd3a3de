"""Policies of a run: built by name from its settings, one for all roles that name it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from core.config import merge_settings, read_config
from core.errors import LemmataError
from lemmata.compose import preset
from lemmata.settings import RoleConfig, SessionConfig
from policy.endpoint import Endpoint
from policy.endpoint_config import EndpointConfig
from policy.guard import Guard
from policy.interface import Policy
from policy.local_config import LocalConfig, model_folder, weights_digest
from policy.meters import Meters
from policy.replay import Replay, ReplayConfig
from policy.throttle import Throttle

DEFAULT = "policy"  # name of the policy that stands under `policy` in the settings


@dataclass(frozen=True)
class Policies:
    """The policies of a run by role. Roles that name the same policy share it, with its limit on calls in flight."""

    roles: Mapping[str, RoleConfig]
    by_name: Mapping[str, Throttle]
    borrowed: Collection[str] = ()  # names of policies that belong to the caller, who closes them

    def of(self, role: str) -> Throttle:
        """The policy that plays ``role``."""
        return self.by_name[self.roles[role].policy or DEFAULT]

    async def close(self) -> None:
        """Close every policy that is not borrowed."""
        for name, policy in self.by_name.items():
            if name not in self.borrowed:
                await policy.close()


def build_policies(
    config: SessionConfig, guard: Guard, meters: Meters, known: Mapping[str, Throttle] | None = None
) -> Policies:
    """The policies that the roles of ``config`` name; those of ``known`` are shared, not built again.

    Raises:
        LemmataError: a role names an unknown policy, or the settings of a policy are wrong.
    """
    known = known or {}
    named = named_policies(config)
    for role, settings in config.roles.items():
        if settings.policy not in named and settings.policy not in known:
            raise LemmataError(
                f"{role}.policy={settings.policy}: no such policy; known: {', '.join({**named, **known})}."
            )
    used = dict.fromkeys(settings.policy or DEFAULT for settings in config.roles.values())
    if config.budget.cost is not None and all(named.get(name, {}).get("kind") == "local" for name in used):
        raise LemmataError(
            f"budget.cost={config.budget.cost:g} cannot be kept: models in this process have no price; "
            "use budget.tokens or budget.seconds."
        )
    by_name = {name: known.get(name) or _build(name, named[name], guard, meters) for name in used}
    return Policies(config.roles, by_name)


def named_policies(config: SessionConfig) -> dict[str, Mapping[str, Any]]:
    """The settings of every policy by its name. A named policy takes what it does not set itself from ``policy``, or
    from the preset of its kind where that is another one.

    Raises:
        LemmataError: the settings of a policy are no mapping.
    """
    named = {DEFAULT: config.policy}
    for name, changes in config.policies.items():
        if not isinstance(changes, Mapping):
            raise LemmataError(
                f"policies.{name}={changes!r}: give its settings one by one, +policies.{name}.model=MODEL"
            )
        kind = changes.get("kind", config.policy.get("kind"))
        base = config.policy if kind == config.policy.get("kind") else preset("policy", str(kind))
        named[name] = merge_settings(base, changes)
    return named


def weights_of(config: SessionConfig) -> dict[str, str]:
    """A digest of the weights of each policy that runs a model in this process, by the policy's name."""
    local = {name: local_model(values) for name, values in named_policies(config).items()}
    return {name: weights_digest(model_folder(model)) for name, model in local.items() if model}


def local_model(policy: Mapping[str, Any]) -> str | None:
    """The model folder of an in-process policy, as its settings name it; None for other kinds."""
    model = policy.get("model") if policy.get("kind") == "local" else None
    return model if isinstance(model, str) and model else None


def _build(name: str, config: Mapping[str, Any], guard: Guard, meters: Meters) -> Throttle:
    where = name if name == DEFAULT else f"policies.{name}"
    values = {key: value for key, value in config.items() if key != "kind"}
    policy: Policy
    match config.get("kind"):
        case "endpoint":
            settings = read_config(EndpointConfig, values, where)
            policy = Endpoint(name, settings, guard, meters)
        case "replay":
            settings = read_config(ReplayConfig, values, where)
            policy = Replay(name, settings)
        case "local":
            settings = read_config(LocalConfig, values, where)
            policy = _local(name, settings, where)
        case kind:
            raise LemmataError(f"{where}.kind={kind!r}: known kinds are endpoint, local and replay.")
    return Throttle(policy, settings.concurrency, guard, meters)


def _local(name: str, settings: LocalConfig, where: str) -> Policy:
    try:
        from policy.local import Local  # noqa: PLC0415  loads torch
    except ImportError as error:
        raise LemmataError(
            f"{where}.kind=local needs torch and transformers: pip install '.[model]' ({error})"
        ) from error
    return Local(name, settings)
