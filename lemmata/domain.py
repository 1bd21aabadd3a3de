"""The model that the project ships: a problem of the lab to begin with, and a word about statements it never saw."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console

from core.records import Problem
from lab.domain import ModelDomain, outside, read_domain
from lemmata.policies import named_policies
from lemmata.terminal import plain
from policy.local_config import model_folder

SHIPPED = "pkg://model/shipped"
SERVER = "policy=endpoint policy.base_url=http://localhost:8000/v1 policy.model=MODEL"


def prover_model(config: Mapping[str, Any]) -> str | None:
    """The folder of the model that proves in this process, as the settings name it; None where a server proves."""
    policy = named_policies(config).get(config["prover"]["policy"], {})
    return str(policy["model"]) if policy.get("kind") == "local" and policy.get("model") else None


def with_warning(problems: Iterable[Problem], config: Mapping[str, Any], command: str) -> Iterator[Problem]:
    """The same problems; the first one outside the domain of the model that proves is remarked upon, once."""
    model = prover_model(config)
    domain = read_domain(model_folder(model)) if model else None
    return _watched(problems, domain, model or "", command) if domain else iter(problems)


def _watched(problems: Iterable[Problem], domain: ModelDomain, model: str, command: str) -> Iterator[Problem]:
    warned = False
    for problem in problems:
        reason = "" if warned else outside(domain, problem.statement)
        if reason:
            _warn(_words(problem, domain, model, reason, command))
            warned = True
        yield problem


def _words(problem: Problem, domain: ModelDomain, model: str, reason: str, command: str) -> str:
    name = "the shipped model" if model == SHIPPED else f"the model {model}"
    which = f"problem {problem.name}" if problem.name else "this statement"
    return (
        f"warning: {name} was trained on {domain.words} alone, and {which} is none of them: {reason}.\n"
        "It is asked all the same; expect little (docs/guides/shipped-model.md). With a server of your own:\n"
        f"    lemmata {command} problem='...' {SERVER}"
    )


def _warn(text: str) -> None:
    Console(stderr=True, highlight=False).print(plain(text, "yellow"), soft_wrap=True)
