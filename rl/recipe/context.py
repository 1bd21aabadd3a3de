"""Context of the recipe's steps: folders and models of earlier steps, theorems, and settings of training."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.config import merge_settings, read_config
from core.errors import LemmataError
from core.ids import derive_seed
from core.templates import Templates
from lab.items import Stream
from lab.prompts import named_templates
from lab.theorem import Theorem
from rl.config import WHOLE_MAPPINGS, TrainConfig
from rl.judge import Judge
from rl.merging.config import MergeConfig
from rl.metrics import read_metrics
from rl.recipe.config import CotrainConfig
from rl.recipe.step_types import VALIDATION_CRITIQUES, VALIDATION_LABELS, Merge, Train
from rl.setup import make_judges
from rl.tasks.build import DataConfig, table_rows
from rl.tasks.lab import case_of
from rl.tasks.problem_tables import names_of
from rl.tasks.tables import Case
from rl.trained_judge import TrainedJudge

TABLE = "table.jsonl"
OWN_TABLES = ("proofs", "analyses")  # tables of a step that stand beside those of the settings
IMITATION = "imitation.json"  # summary of a step that samples analyses to imitate
TEST_SEED = 0  # all runs are measured on the same theorems, whatever their seed
PROOFS_SEED = 500  # theorems for on-policy proofs; the streams of training count from the run's seed


@dataclass(frozen=True)
class RecipeContext:
    """A run of the recipe in ``folder``."""

    config: CotrainConfig
    folder: Path

    def at(self, step: str) -> Path:
        """The folder of a step."""
        return self.folder / "steps" / step

    def model(self, step: str) -> Path:
        """The folder of the model that a step writes."""
        return self.at(step) / "model"

    def table(self, step: str) -> Path:
        """The file of the table that a step writes."""
        return self.at(step) / TABLE

    def training(self, step: Train) -> TrainConfig:
        """The settings of a training step. Raises LemmataError where they are invalid."""
        data: dict[str, Any] = {name: self._sources(name, table) for name, table in step.tables.items()}
        data |= step.data
        if self.config.on_tables:
            data["validation"] = self._validation()
        judges = {role: str(self.model(model)) for role, model in step.judges.items()}
        named: dict[str, Any] = {
            "run": str(self.at(step.name)),
            "seed": self.config.seed,
            "data": {**data, "judges": judges} if judges else data,
        }
        if step.start:
            named["model"] = str(self.model(step.start))
        if step.budget is not None:
            left = max(1, step.budget - sum(self.computed_tokens(name) for name in step.spent))
            named["stages"] = {step.changes["stage"]: {"token_budget": left}}
        if step.teachers:
            named["stages"] = {"distill": {"teachers": {k: str(self.model(m)) for k, m in step.teachers.items()}}}
        values = merge_settings(
            merge_settings({"model": None, **self.config.train}, step.changes, replaced=WHOLE_MAPPINGS), named
        )
        return read_config(TrainConfig, values, "")

    def _sources(self, setting: str, step: str) -> str | list[str]:
        """The table of a step, and where all problems are of tables, also those that the settings name."""
        own = str(self.table(step))
        given = names_of(getattr(self.data, setting)) if self.config.on_tables and setting in OWN_TABLES else ()
        return [own, *given] if given else own

    def _validation(self) -> dict[str, str]:
        """Tables of validation: proofs labeled by the run, unless there are graded ones of one's own, and critiques."""
        found = {"critiques": str(self.table(VALIDATION_CRITIQUES))}
        if not self.table_cases("proofs", "validation"):
            found["proofs"] = str(self.table(VALIDATION_LABELS))
        return found

    def computed_tokens(self, step: str) -> int:
        """The number of tokens that a step has computed: of training by its metrics, of imitation by its summary."""
        imitation, metrics = self.at(step) / IMITATION, self.at(step) / "metrics.jsonl"
        if imitation.exists():
            return json.loads(imitation.read_text(encoding="utf-8"))["tokens"]
        return int(sum(row["computed_tokens"] for row in read_metrics(self.at(step)))) if metrics.exists() else 0

    def merging(self, step: Merge) -> MergeConfig:
        """The settings of a merge. Raises LemmataError where they are invalid."""
        models, out = [str(self.model(name)) for name in step.models], str(self.model(step.name))
        values = {**step.settings, "models": models, "base": str(self.model(step.base)), "out": out}
        return read_config(MergeConfig, values, "")

    @cached_property
    def shared(self) -> TrainConfig:
        """The settings that all training steps share. Raises LemmataError where they are invalid."""
        own = {"role": "generator", "stage": "sft", "run": None, "seed": self.config.seed, "model": None}
        return read_config(TrainConfig, {**own, **self.config.train}, "train")

    @cached_property
    def data(self) -> DataConfig:
        """Families and levels of all steps."""
        return read_config(DataConfig, self.shared.data, "train.data")

    @cached_property
    def templates(self) -> Templates:
        """The prompts of all steps."""
        return named_templates(self.shared.prompts or "lab")

    def judge(
        self, step: str, purpose: str, temperature: float | None = None, max_tokens: int | None = None
    ) -> TrainedJudge:
        """The model of a step as a judge whose seeds depend on ``purpose``.

        ``temperature`` and ``max_tokens`` None: those of measuring.
        """
        return self.judge_in(self.model(step), purpose, temperature, max_tokens)

    def judge_in(
        self, folder: Path, purpose: str, temperature: float | None = None, max_tokens: int | None = None
    ) -> TrainedJudge:
        """The model in ``folder`` as a judge, as by `judge`."""
        measure, seed = self.config.measure, derive_seed(self.config.seed, purpose)
        chosen = measure.temperature if temperature is None else temperature
        return TrainedJudge(folder, chosen, max_tokens or measure.max_tokens, seed, self.shared.device)

    def labelers(self, step: str, verifier: str, meta_verifier: str) -> tuple[Judge, Judge]:
        """The verifier and the meta-verifier that label proofs: those that ``labels`` names, else those of two steps.

        Answers of servers are kept in the folder of ``step``. Raises LemmataError where one cannot be made.
        """
        wanted = {"verifier": self.config.labels.verifier, "meta_verifier": self.config.labels.meta_verifier}
        judges = {**self.shared.data["judges"], **wanted}
        settings = replace(self.shared, stage="rl", data={**self.shared.data, "judges": judges})
        named = make_judges(settings, self.at(step))
        own = None if named is None else named.verifier
        own_meta = None if named is None else named.meta_verifier
        return own or self.judge(verifier, step), own_meta or self.judge(meta_verifier, step)

    def table_cases(self, table: str, split: str) -> list[Case]:
        """The cases of a split in the tables that the settings name: ``problems`` or ``proofs``; each problem once.

        Raises LemmataError where a table cannot be read.
        """
        cases = table_rows(self.data, table, split)
        return list({case.statement: case for case in cases}.values()) if table == "problems" else cases

    def stream(
        self, role: str, split: str, iteration: int = 0, turn: int = 1, levels: tuple[int, ...] | None = None
    ) -> Stream:
        """Theorems of a split: of ``train`` for on-policy proofs, of the others for measuring."""
        seed = PROOFS_SEED + 1000 * self.config.seed + 20 * iteration + turn if split == "train" else TEST_SEED
        try:
            return Stream(role, self.data.families, levels or self.data.levels, split, seed)
        except ValueError as error:
            raise LemmataError(f"{'measure.hard' if levels else 'train.data'}: {error}") from error

    def theorems(self, split: str, per_level: int, levels: tuple[int, ...] | None = None) -> list[Theorem]:
        """At most ``per_level`` theorems of each level of a split, each statement once."""
        stream = self.stream("prove", split, levels=levels)
        items = (item for level in stream.levels for item in replace(stream, levels=(level,)).distinct(per_level))
        return list({item.theorem.statement: item.theorem for item in items}.values())

    def planted(self, split: str, per_level: int) -> list[tuple[Case, str]]:
        """The lab's own proofs of a split, each with the kind of defect that was planted, empty for a right proof."""
        stream = self.stream("verify", split)
        items = (stream.item(number) for number in range(per_level * len(stream.levels)))
        return [(case_of(item), item.proof.how) for item in items]

    def cases(self, role: str, split: str, per_level: int) -> list[Case]:
        """The lab's own proofs ("verify") or analyses ("review") of a split, some with planted defects."""
        stream = self.stream(role, split)
        return [case_of(stream.item(number)) for number in range(per_level * len(stream.levels))]
