"""Domain of an in-process model: a warning for the first statement that its training did not cover."""

from collections.abc import Iterable, Iterator

from rich.console import Console

from core.records import Problem
from lab.domain import ModelDomain, outside, read_domain
from lemmata.policies import local_model, named_policies
from lemmata.settings import SessionConfig
from lemmata.terminal import plain
from policy.local_config import model_folder

SHIPPED = "pkg://model/shipped"
SERVER = "policy=endpoint policy.base_url=http://localhost:8000/v1 policy.model=MODEL"


def prover_model(config: SessionConfig, policy: str | None = None) -> str | None:
    """The model folder of the prover's policy, or of ``policy``; None where a server proves."""
    return local_model(named_policies(config).get(policy or config.prover.policy or "", {}))


def with_warning(problems: Iterable[Problem], model: str | None, command: str) -> Iterator[Problem]:
    """``problems`` unchanged; a warning is printed at the first one outside the domain of ``model``."""
    domain = read_domain(model_folder(model)) if model else None
    return _watched(problems, domain, model or "", command) if domain else iter(problems)


def _watched(problems: Iterable[Problem], domain: ModelDomain, model: str, command: str) -> Iterator[Problem]:
    warned = False
    for problem in problems:
        reason = "" if warned else outside(domain, problem.statement)
        if reason:
            _warn(_message(problem, domain, model, reason, command))
            warned = True
        yield problem


def _message(problem: Problem, domain: ModelDomain, model: str, reason: str, command: str) -> str:
    name = "the shipped model" if model == SHIPPED else f"the model {model}"
    which = f"problem {problem.name}" if problem.name else "this statement"
    return (
        f"warning: {name} was trained on {domain.words} alone, and {which} is none of them: {reason}.\n"
        "It is asked all the same; expect little (docs/guides/shipped-model.md). With a server of your own:\n"
        f"    lemmata {command} problem='...' {SERVER}"
    )


def _warn(text: str) -> None:
    Console(stderr=True, highlight=False).print(plain(text, "yellow"), soft_wrap=True)
