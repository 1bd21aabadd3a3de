"""Teachers of on-policy distillation: a model folder for each kind of problem, each loaded once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from core.errors import LemmataError
from model.errors import ModelError
from model.tokenizer import load_tokenizer
from policy.local_config import model_folder
from rl.learner import Learner
from rl.models.interface import PolicyModel
from rl.models.kinds import load_policy
from rl.task import Task
from rl.tasks.mixed import MixedTask


def kinds_of(task: Task, role: str) -> tuple[str, ...]:
    """Returns the kinds of problems of a task; one that is not mixed has the kind of its role."""
    return tuple(task.parts) if isinstance(task, MixedTask) else (role,)


def kind_of(task: Task, role: str, number: int) -> str:
    """Returns the kind of problem ``number``."""
    return task.locate(number)[0] if isinstance(task, MixedTask) else role


def check_teachers(teachers: Mapping[str, str | None], learner: Learner, role: str) -> dict[str, Path]:
    """Returns the folder of each kind's teacher, without loading weights.

    Raises LemmataError where a kind has no teacher or a teacher no kind, and where a tokenizer is not the student's.
    """
    kinds = kinds_of(learner.training, role)
    folders = {kind: model_folder(name) for kind, name in teachers.items() if name is not None}
    if missing := [kind for kind in kinds if kind not in folders]:
        raise LemmataError(
            f"stages.distill.teachers has no teacher for {', '.join(missing)}: name a model's folder for each, as in "
            f"stages.distill.teachers.{missing[0]}=FOLDER, or leave the kind out of data.mixture"
        )
    if unused := [kind for kind in folders if kind not in kinds]:
        raise LemmataError(
            f"stages.distill.teachers names a teacher for {', '.join(unused)}, but the kinds of this task are "
            f"{', '.join(kinds)}: set stages.distill.teachers.{unused[0]}=null"
        )
    for kind, folder in folders.items():
        _check_tokenizer(kind, folder, learner.tokenizer)
    return folders


def load_teachers(folders: Mapping[str, Path], learner: Learner) -> dict[str, PolicyModel]:
    """Loads the teacher of each kind, frozen, in the student's dtype and device; kinds of one folder share a module.

    Raises LemmataError where one cannot be loaded, or its vocabulary has another size than the student's.
    """
    loaded: dict[Path, PolicyModel] = {}
    for kind, folder in folders.items():
        resolved = folder.resolve()
        if resolved not in loaded:
            loaded[resolved] = _load(kind, folder, learner)
    return {kind: loaded[folder.resolve()] for kind, folder in folders.items()}


def _check_tokenizer(kind: str, folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    try:
        same = _content(load_tokenizer(folder)) == _content(tokenizer)
    except ModelError as error:
        raise LemmataError(f"the teacher for {kind}: {error}") from error
    if not same:
        raise LemmataError(
            f"the teacher for {kind}, {folder}, has another tokenizer.json than the student. Distillation compares "
            "next tokens, so both need the same one: train teachers and student from the same model"
        )


def _load(kind: str, folder: Path, learner: Learner) -> PolicyModel:
    dtype = str(next(learner.module.parameters()).dtype).removeprefix("torch.")
    try:
        module, _ = load_policy(folder, dtype, str(learner.device))
    except ModelError as error:
        raise LemmataError(f"the teacher for {kind}: {error}") from error
    student, teacher = learner.module.config.vocab_size, module.config.vocab_size
    if student != teacher:
        raise LemmataError(
            f"the teacher for {kind}, {folder}, has a vocabulary of {teacher} tokens, and the student one of {student}"
        )
    return module.eval().requires_grad_(False)


def _content(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The content of tokenizer.json without padding and truncation, which a call may set."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: value for name, value in content.items() if name not in ("padding", "truncation")}
