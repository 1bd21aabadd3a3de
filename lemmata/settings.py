"""Root configurations of the commands that ask models: one typed object per command."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictInt

from core.columns import Columns, ProofColumns
from core.config import STRICT, Count, Name, Positive, read_config, settings
from core.imported_table import TableGrades
from policy.guard import BudgetConfig
from policy.interface import Sampling
from policy.tool_loop import ToolUseConfig
from policy.usability import UnusableConfig
from policy.verdict import VerdictConfig
from refine.assess import AssessorConfig
from refine.config import RefineConfig, require_enough_analyses
from tools.config import InterpreterConfig, ToolName
from verifier.autolabel import LabelConfig

C = TypeVar("C")
DEFERRED = ("policy", "policies")  # read by lemmata.policies, and only those that a role uses


@settings(frozen=True, config=STRICT)
class SamplingConfig:
    """Sampling settings of all roles, from which a role takes what it does not set itself."""

    temperature: Annotated[float, Field(ge=0)] | None
    top_p: Annotated[float, Field(gt=0, le=1)] | None
    max_tokens: Positive | None
    stop: tuple[str, ...]


@settings(frozen=True, config=STRICT)
class RoleConfig(SamplingConfig):
    """The policy that plays a role, by name, and its sampling settings.

    ``policy`` is None only in evaluations, where it stands for the entrant.
    """

    policy: Name | None

    @property
    def sampling(self) -> Sampling:
        """The sampling settings as policies take them."""
        return Sampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, stop=self.stop)


@settings(frozen=True, config=STRICT)
class ProgressConfig:
    """``seconds`` between two lines of progress."""

    seconds: Annotated[float, Field(gt=0)]


@settings(frozen=True, kw_only=True, config=STRICT)
class SessionConfig:
    """Settings of every command that asks models (lemmata/conf/base.yaml)."""

    run: Name | None
    seed: StrictInt
    prompts: Name | None
    retry: Literal["refused"] | None
    progress: ProgressConfig
    unusable: UnusableConfig
    budget: BudgetConfig
    verdicts: VerdictConfig
    sampling: SamplingConfig
    prover: RoleConfig
    verifier: RoleConfig
    meta_verifier: RoleConfig
    judge: AssessorConfig
    tools: tuple[ToolName, ...]
    tool_use: ToolUseConfig
    interpreter: InterpreterConfig
    policy: Mapping[str, Any]
    policies: Mapping[str, Any]

    @property
    def roles(self) -> dict[str, RoleConfig]:
        """The roles of this command by name."""
        return {"prover": self.prover, "verifier": self.verifier, "meta_verifier": self.meta_verifier}


@settings(frozen=True, config=STRICT)
class LabProblem:
    """Coordinates of a theorem of the lab."""

    family: Name
    level: Positive
    seed: Count
    split: Name


@settings(frozen=True, kw_only=True, config=STRICT)
class ProblemsConfig:
    """Source of the problems; ``lab_problem`` is what the shipped model takes where no source is given."""

    problems: Name | None
    problem: Name | None
    split: Name | None
    revision: Name | None
    limit: Positive | None
    columns: Columns
    lab_problem: LabProblem


@settings(frozen=True, kw_only=True, config=STRICT)
class SourceConfig:
    """Source of proofs: a run, released outputs, or a table whose columns ``proof_columns`` names, with ``grades``."""

    source: Name
    proof_columns: ProofColumns
    grades: TableGrades


@settings(frozen=True, kw_only=True, config=STRICT)
class RefineSettings(SessionConfig, ProblemsConfig):
    """Settings of ``lemmata refine``."""

    refine: RefineConfig

    def __post_init__(self) -> None:
        require_enough_analyses(self.refine, self.judge)


@settings(frozen=True, kw_only=True, config=STRICT)
class ProveSettings(SessionConfig, ProblemsConfig):
    """Settings of ``lemmata prove``; ``proofs`` of each problem."""

    proofs: Positive


@settings(frozen=True, kw_only=True, config=STRICT)
class VerifySettings(SessionConfig, SourceConfig):
    """Settings of ``lemmata verify`` and ``lemmata review``."""


@settings(frozen=True, kw_only=True, config=STRICT)
class LabelSettings(VerifySettings):
    """Settings of ``lemmata label``."""

    label: LabelConfig


def read_settings(cls: type[C], config: Mapping[str, Any]) -> C:
    """The whole configuration of a command as ``cls``. Raises LemmataError as `read_config`."""
    if "sampling" in config:  # first, because the roles repeat its values, and an error is better shown once
        read_config(SamplingConfig, config["sampling"], "sampling")
    return read_config(cls, config, "", deferred=DEFERRED)
