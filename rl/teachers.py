"""The models that a student learns from: one folder for each kind of problem, each loaded once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from core.errors import LemmataError
from model.errors import ModelError
from model.loading import load_model
from model.tokenizer import load_tokenizer
from model.transformer import DsaModel
from rl.learner import Learner
from rl.task import Task
from rl.tasks.mixed import MixedTask


def kinds_of(task: Task, role: str) -> tuple[str, ...]:
    """The kinds of problems in a role's task; one that is not mixed is of the role's kind."""
    return tuple(task.parts) if isinstance(task, MixedTask) else (role,)


def kind_of(task: Task, role: str, number: int) -> str:
    """The kind of problem ``number``."""
    return task.locate(number)[0] if isinstance(task, MixedTask) else role


def check_teachers(teachers: Mapping[str, str | None], learner: Learner, role: str) -> dict[str, Path]:
    """The folder of each kind's teacher, before any weights are loaded.

    Raises LemmataError where kinds and teachers do not match, and where a teacher has another vocabulary.
    """
    kinds = kinds_of(learner.training, role)
    folders = {kind: Path(folder) for kind, folder in teachers.items() if folder is not None}
    if missing := [kind for kind in kinds if kind not in folders]:
        raise LemmataError(
            f"stages.distill.teachers has no teacher for {', '.join(missing)}: name a model's folder for each, as in "
            f"stages.distill.teachers.{missing[0]}=FOLDER, or leave the kind out of data.mixture"
        )
    if unused := [kind for kind in folders if kind not in kinds]:
        raise LemmataError(
            f"stages.distill.teachers names a teacher for {', '.join(unused)}, of which this task has no problems; it "
            f"has {', '.join(kinds)}. Set what is not needed to null"
        )
    for kind, folder in folders.items():
        _check_tokenizer(kind, folder, learner.tokenizer)
    return folders


def load_teachers(folders: Mapping[str, Path], learner: Learner) -> dict[str, DsaModel]:
    """The teacher of each kind, not learning, in the student's type and place; kinds of one folder share a module.

    Raises LemmataError where one cannot be loaded, or predicts another vocabulary than the student.
    """
    loaded: dict[Path, DsaModel] = {}
    for kind, folder in folders.items():
        place = folder.resolve()
        if place not in loaded:
            loaded[place] = _load(kind, folder, learner)
    return {kind: loaded[folder.resolve()] for kind, folder in folders.items()}


def _check_tokenizer(kind: str, folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    try:
        same = _content(load_tokenizer(folder)) == _content(tokenizer)
    except ModelError as error:
        raise LemmataError(f"the teacher for {kind}: {error}") from error
    if not same:
        raise LemmataError(
            f"the teacher for {kind}, {folder}, has another tokenizer.json than the student. Distillation compares "
            "next tokens, so both need the same one: train teachers and student from one start"
        )


def _load(kind: str, folder: Path, learner: Learner) -> DsaModel:
    dtype = str(learner.module.model.norm.weight.dtype).removeprefix("torch.")
    try:
        module, _ = load_model(folder, dtype, str(learner.device))
    except ModelError as error:
        raise LemmataError(f"the teacher for {kind}: {error}") from error
    ours, theirs = learner.module.config.vocab_size, module.config.vocab_size
    if ours != theirs:
        raise LemmataError(f"the teacher for {kind}, {folder}, predicts {theirs} tokens, and the student {ours}")
    return module.eval().requires_grad_(False)


def _content(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What tokenizer.json says, but for padding and truncation, which a call may set."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: value for name, value in content.items() if name not in ("padding", "truncation")}
