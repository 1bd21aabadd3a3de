"""Settings with the defaults of lemmata/conf, as the command line has them."""

from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from core.config import merge_settings, read_config
from policy.endpoint_config import EndpointConfig
from policy.guard import BudgetConfig
from policy.local_config import LocalConfig
from policy.retry import RetryConfig
from policy.tool_loop import ToolUseConfig
from policy.usage import Prices
from refine.assess import AssessorConfig
from refine.config import RefineConfig
from tools.config import InterpreterConfig


def _defaults(*overrides: str) -> dict[str, Any]:
    with initialize_config_module("lemmata.conf", version_base="1.3"):
        values: Any = OmegaConf.to_container(compose("refine", list(overrides)), resolve=True)
    return values


def refine_preset(name: str) -> RefineConfig:
    """``refine`` of ``refine=NAME``."""
    return read_config(RefineConfig, _defaults(ENDPOINT, f"refine={name}")["refine"], "refine")


def judge_preset(name: str) -> AssessorConfig:
    """``judge`` of ``refine=NAME``, with a server."""
    return read_config(AssessorConfig, _defaults(ENDPOINT, f"refine={name}")["judge"], "judge")


def tool_use_config(**changes: Any) -> ToolUseConfig:
    """The default ``tool_use`` with changes."""
    return read_config(ToolUseConfig, _defaults()["tool_use"] | changes, "tool_use")


def interpreter_config() -> InterpreterConfig:
    """The default ``interpreter``."""
    return read_config(InterpreterConfig, _defaults()["interpreter"], "interpreter")


ENDPOINT = "policy=endpoint"
LIGHT = refine_preset("light")
JUDGE = judge_preset("light")
ACCEPTANCE = JUDGE.acceptance
_BUDGET: Any = _defaults()["budget"]
_ENDPOINT: Any = _defaults(ENDPOINT)["policy"]
_LOCAL: Any = _defaults("policy=local")["policy"]
del _ENDPOINT["kind"], _LOCAL["kind"]


def budget_config(**changes: Any) -> BudgetConfig:
    """``budget`` with these settings changed."""
    return read_config(BudgetConfig, _BUDGET | changes, "budget")


def retry_config(**changes: Any) -> RetryConfig:
    """``policy.retry`` of an endpoint with these settings changed."""
    return read_config(RetryConfig, _ENDPOINT["retry"] | changes, "policy.retry")


def prices_config(**changes: Any) -> Prices:
    """``policy.prices`` of an endpoint with these settings changed."""
    return read_config(Prices, _ENDPOINT["prices"] | changes, "policy.prices")


def endpoint_config(**changes: Any) -> EndpointConfig:
    """``policy`` of kind endpoint with these settings changed; base_url and model must be among them."""
    return read_config(EndpointConfig, _ENDPOINT | changes, "policy")


def local_config(**changes: Any) -> LocalConfig:
    """``policy`` of kind local with these settings changed; model must be among them."""
    return read_config(LocalConfig, merge_settings(_LOCAL, changes), "policy")
