"""Setup of a training run from its settings: model, tokenizer, tasks, judges, trainer."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from core.config import read_config
from core.errors import LemmataError
from lab.prompts import SYMBOLS, named_templates
from model.config import ModelConfig
from model.errors import ModelError
from model.initialize import new_model
from model.loading import check_device
from model.tokenizer import train_tokenizer
from policy.local_config import model_folder
from rl.checkpoint import Checkpoints, damaged
from rl.config import RoleName, TrainConfig
from rl.endpoint_judge import EndpointJudges
from rl.judge import ENDPOINT, Judge, Judges, judge_names, panel
from rl.learner import Learner
from rl.metrics import make_trackers
from rl.models.interface import PolicyModel
from rl.models.kinds import load_policy
from rl.parallel import Parallel
from rl.task import Task
from rl.tasks.build import DataConfig, make_task
from rl.trained_judge import TrainedJudge
from rl.trainer import Report, Trainer


def make_trainer(
    config: TrainConfig, folder: Path, parallel: Parallel, report: Report, stopping: Callable[[], bool]
) -> Trainer:
    """Makes the trainer of a run in ``folder``. Raises LemmataError where the settings do not fit together."""
    torch.set_num_threads(config.threads)
    try:
        check_device(config.device)
    except ModelError as error:
        raise LemmataError(str(error)) from error
    started = Checkpoints(folder, config.checkpoint.keep).latest_model()
    module, tokenizer = _resumed(started, config) if started else _model(config)
    if config.gradient_checkpointing:
        _enable_checkpointing(module)
    judges = make_judges(config, folder, parallel.rank)
    learner = Learner(
        module=module,
        tokenizer=tokenizer,
        training=task_of(config, config.role, "train", judges),
        validation=task_of(config, config.role, "validation", judges),
        parallel=parallel,
        seed=config.seed,
        thinking=config.thinking,
        judge_early=judges is not None and judges.config.all_behind_servers,
    )
    trackers = make_trackers(config.loggers, folder, asdict(config)) if parallel.is_main else []
    return Trainer(learner, config, folder, tuple(trackers), report, stopping)


def _enable_checkpointing(module: PolicyModel) -> None:
    try:
        module.gradient_checkpointing_enable()
    except ModelError as error:
        raise LemmataError(str(error)) from error


def task_of(config: TrainConfig, role: RoleName, split: str, judges: Judges | None = None) -> Task:
    """Makes the task of a role on one split. Raises LemmataError where the data settings are wrong."""
    data = read_config(DataConfig, config.data, "data")
    templates = named_templates(config.prompts or "lab")
    try:
        return make_task(role, data, templates, split, config.seed, judges)
    except ValueError as error:
        raise LemmataError(f"data: {error}") from error


def make_judges(config: TrainConfig, folder: Path | None = None, rank: int = 0) -> Judges | None:
    """Loads the judges that the settings name; None without any: rewards are by the exact truth.

    Answers of judges behind endpoints are kept in ``folder``, those of each process ``rank`` in files of their own.

    Raises LemmataError where a judge is missing or cannot be loaded.
    """
    data = read_config(DataConfig, config.data, "data")
    wanted = data.judges
    names = {role: judge_names(getattr(wanted, role)) for role in ("verifier", "meta_verifier")}
    if data.refine_by == "verifier" and not names["verifier"]:
        raise LemmataError("data.refine_by=verifier needs a verifier: set data.judges.verifier=FOLDER")
    if "rl" not in config.schedule or not any(names.values()):
        return None
    remote = any(name.startswith(ENDPOINT) for group in names.values() for name in group)
    endpoints = EndpointJudges(wanted, folder or Path(), rank, config.seed) if remote else None
    made: dict[str, Judge] = {}
    for name in dict.fromkeys(name for group in names.values() for name in group):
        if endpoints is not None and name.startswith(ENDPOINT):
            made[name] = endpoints.of(name)
        else:
            place = model_folder(name)
            made[name] = TrainedJudge(place, wanted.temperature, wanted.max_tokens, config.seed, config.device)
    verifier, meta = (panel([made[name] for name in names[role]]) for role in ("verifier", "meta_verifier"))
    return Judges(wanted, verifier, meta)


def _resumed(folder: Path, config: TrainConfig) -> tuple[PolicyModel, PreTrainedTokenizerFast]:
    try:
        return load_policy(folder, "float32", config.device)
    except ModelError as error:
        raise damaged(folder.parent, error) from error


def _load(folder: Path, config: TrainConfig) -> tuple[PolicyModel, PreTrainedTokenizerFast]:
    try:
        return load_policy(folder, "float32", config.device)
    except ModelError as error:
        raise LemmataError(f"{folder} cannot be trained: {error}") from error


def _model(config: TrainConfig) -> tuple[PolicyModel, PreTrainedTokenizerFast]:
    """Loads the model that the run starts from, or makes a new one with its own tokenizer."""
    if config.model is not None:
        return _load(model_folder(config.model), config)
    try:
        new = config.new_model
        tokenizer = train_tokenizer(_texts(config), new.vocab_size, SYMBOLS if new.phrases else None)
        ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        shape = ModelConfig(vocab_size=new.vocab_size, **new.shape, **ids)  # pyright: ignore[reportArgumentType]
        return new_model(shape, config.seed, device=config.device), tokenizer
    except (ModelError, TypeError) as error:  # the latter for a name that is no field
        raise LemmataError(f"new_model: {error}") from error


def _texts(config: TrainConfig) -> Iterator[str]:
    """Texts that the tokenizer is trained on: the lab's SFT examples of all kinds, in every run."""
    lab = {"lab": "all", "problems": None, "proofs": None, "analyses": None, "critiques": None, "examples": None}
    task = task_of(replace(config, data={**config.data, **lab, "problem_numbers": None}), "generator", "train")
    for number in range(config.new_model.tokenizer_examples):
        example = task.example(number)
        yield from (example.prompt, example.whole)
