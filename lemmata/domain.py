"""Domains of in-process models: statements that their training did not cover are named and not judged."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console

from core.records import Problem
from lab.domain import ModelDomain, outside, read_domain
from lemmata.policies import DEFAULT, local_model, named_policies
from lemmata.settings import SessionConfig
from lemmata.terminal import plain
from policy.local_config import SHIPPED, model_folder

SERVER = "policy=endpoint policy.base_url=http://localhost:8000/v1 policy.model=MODEL"
PROVER, VERIFIER = "prover", "verifier"


@dataclass(frozen=True)
class Coverage:
    """The domains of the models that play the roles of a run. A model without a domain, or on a server, covers all."""

    domains: dict[str, tuple[str, ModelDomain]]  # by role: the model folder and its domain

    @classmethod
    def of(cls, config: SessionConfig) -> "Coverage":
        """The domains by the settings of a run. Raises LemmataError where a domain file cannot be read."""
        named = named_policies(config)
        models = {role: local_model(named.get(one.policy or DEFAULT, {})) for role, one in config.roles.items()}
        found = {role: (model, read_domain(model_folder(model))) for role, model in models.items() if model}
        return cls({role: (model, domain) for role, (model, domain) in found.items() if domain is not None})

    def outside(self, statement: str, *roles: str) -> str:
        """The reason why the model of one of these roles does not cover a statement; empty where all do."""
        for role in roles:
            if role in self.domains:
                model, domain = self.domains[role]
                reason = outside(domain, statement)
                if reason:
                    return f"{_name(model)} knows {domain.words} alone; {reason}"
        return ""


def prover_model(config: SessionConfig, policy: str | None = None) -> str | None:
    """The model folder of the prover's policy, or of ``policy``; None where a server proves."""
    return local_model(named_policies(config).get(policy or config.prover.policy or "", {}))


def with_warnings(problems: Iterable[Problem], config: SessionConfig) -> Iterator[Problem]:
    """``problems`` unchanged; a warning names each one that the prover's model does not cover."""
    coverage = Coverage.of(config)
    for problem in problems:
        if reason := coverage.outside(problem.statement, PROVER):
            Console(stderr=True, highlight=False).print(plain(_message(problem, reason), "yellow"), soft_wrap=True)
        yield problem


def _message(problem: Problem, reason: str) -> str:
    return f"warning: {problem.name or problem.id}: {reason}. It is asked all the same; expect little."


def _name(model: str) -> str:
    return "the shipped model" if model == SHIPPED else f"the model {model}"
