"""Settings of a merge. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat

from core.config import STRICT, Count, Name, Positive, Share, settings
from core.errors import LemmataError

MethodName = Literal["linear", "task_arithmetic", "slerp", "ties", "dare_linear", "dare_ties", "ram"]
DType = Literal["float32", "bfloat16", "float16", "float64"]
Density = Annotated[float, Field(gt=0, le=1)]

TASK: Mapping[str, Any] = {"weight": 1.0, "normalize": False, "lambda": 1.0}
# The parameters of each method with mergekit's defaults; ... marks required ones.
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "linear": {"weight": 1.0, "normalize": True},
    "task_arithmetic": TASK,
    "slerp": {"t": ...},
    "ties": {**TASK, "density": ..., "normalize": True},
    "dare_linear": {**TASK, "density": ...},
    "dare_ties": {**TASK, "density": ...},
    "ram": {"epsilon": 1e-5},
}
WITHOUT_BASE = ("linear", "slerp")


@settings(frozen=True, config=STRICT)
class ParametersConfig:
    """Parameters by mergekit's names; None: the method's default.

    ``weight`` and ``density``: one number for all models, or one for each. ``normalize``: divide by the weights' sum.
    ``lambda_`` (lambda in yaml): factor of the merged task vector. ``t``: from the first model (0) to the second (1).
    ``epsilon``: changes up to it count as none.
    """

    weight: FiniteFloat | tuple[FiniteFloat, ...] | None = None
    density: Density | tuple[Density, ...] | None = None
    normalize: bool | None = None
    lambda_: FiniteFloat | None = Field(default=None, alias="lambda")
    t: Share | None = None
    epsilon: Annotated[FiniteFloat, Field(ge=0)] | None = None

    def given(self) -> dict[str, Any]:
        """Returns those that are not None, by their names in yaml."""
        values = {"lambda" if name == "lambda_" else name: value for name, value in vars(self).items()}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Parameters:
    """A method's parameters for all models; parameters that the method does not have are neutral."""

    weight: tuple[float, ...]
    density: tuple[float, ...]
    normalize: bool = False
    scale: float = 1.0  # mergekit's lambda
    t: float = 0.0
    epsilon: float = 0.0


@settings(frozen=True, config=STRICT)
class MergeConfig:
    """Settings of a merge of ``models``, trained from ``base``, by ``method`` into the folder ``out``.

    ``seed``: of DARE. ``dtype``: of the result; None: that of ``base``, or of the first model without one.
    ``shard_bytes``: size of a file of the result, which is in memory besides the tensors being merged. The defaults are
    those of lemmata/conf/merge.yaml; recipes leave them out.
    """

    models: Annotated[tuple[Name, ...], Field(min_length=1)]
    out: Name
    method: MethodName
    base: Name | None = None
    parameters: ParametersConfig = field(default_factory=ParametersConfig)
    seed: Count = 0
    dtype: DType | None = None
    shard_bytes: Positive = 5 * 10**9

    def resolved(self) -> Parameters:
        """Returns the method's parameters with defaults filled in.

        Raises:
            LemmataError: the method has no such parameter, needs one that is not given, or cannot take these models.
        """
        given, known = self.parameters.given(), PARAMETERS[self.method]
        if unknown := sorted(given.keys() - known.keys()):
            raise LemmataError(
                f"method={self.method} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )
        if missing := [name for name, value in known.items() if value is ... and name not in given]:
            raise LemmataError(f"method={self.method} needs parameters.{missing[0]}=VALUE")
        if self.base is None and self.method not in WITHOUT_BASE:
            raise LemmataError(f"method={self.method} merges differences from a base: give it as base=FOLDER")
        if self.method == "slerp" and len(self.models) != 2:
            raise LemmataError(f"method=slerp takes two models, not {len(self.models)}")
        values = {**known, **given}
        weight, density = (self._each(name, values.get(name, 1.0)) for name in ("weight", "density"))
        normalize = values.get("normalize", False)
        if normalize and self.method == "linear" and abs(sum(weight)) < 1e-8:
            raise LemmataError("parameters.weight: the weights add up to 0, so normalize=true would divide by 0")
        return Parameters(
            weight, density, normalize, values.get("lambda", 1.0), values.get("t", 0.0), values.get("epsilon", 0.0)
        )

    def _each(self, name: str, value: float | tuple[float, ...]) -> tuple[float, ...]:
        if not isinstance(value, tuple):
            return (value,) * len(self.models)
        if len(value) != len(self.models):
            raise LemmataError(f"parameters.{name} has {len(value)} numbers for {len(self.models)} models")
        return value
