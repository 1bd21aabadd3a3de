"""Data of a role in the forms of other engines, written by `lemmata adapt`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from core.errors import LemmataError
from core.json_lines import write_json_lines
from core.parquet import write_parquet
from rl.adapters.for_nemo_gym import SERVER, nemo_gym_row
from rl.adapters.for_slime import slime_row
from rl.adapters.for_verl import SCHEMA, verl_row
from rl.adapters.rewards import ROLES, VARIABLE, ground_truth
from rl.tasks.roles import RoleTask
from rl.tasks.tables import RepeatedTable

Backend = Literal["trl", "verifiers", "verl", "slime", "nemo_gym"]
Row = Mapping[str, Any]
MODULES = {
    "lemmata_roles.py": "from rl.adapters.for_verifiers import RolesTaskset\n\n__all__ = ['RolesTaskset']\n",
}
GYM = f"""{SERVER}_resources_server:
  resources_servers:
    {SERVER}:
      entrypoint: rl/adapters/for_nemo_gym.py
      domain: math
{SERVER}_simple_agent:
  responses_api_agents:
    simple_agent:
      entrypoint: app.py
      resources_server:
        type: resources_servers
        name: {SERVER}_resources_server
      model_server:
        type: responses_api_models
        name: policy_model
"""


def write_data(folder: Path, backend: Backend, role: str, splits: Mapping[str, RoleTask], items: int) -> dict[str, int]:
    """Writes the rows of each split, and what the engine finds them by; returns the number of rows by split.

    Of tables every case is written once, of the lab's endless stream ``items``.

    Raises:
        LemmataError: the role has no adapter, or a file cannot be written.
    """
    if role not in ROLES:
        raise LemmataError(f"role={role}: an engine trains one of {', '.join(ROLES)}; write a folder for each")
    folder.mkdir(parents=True, exist_ok=True)
    if backend == "verifiers":
        for name, text in MODULES.items():
            (folder / name).write_text(text, encoding="utf-8")
    if backend == "nemo_gym":
        (folder / f"{SERVER}.yaml").write_text(GYM, encoding="utf-8")
    return {split: _write(folder, backend, split, _pairs(role, task, items)) for split, task in splits.items()}


def _pairs(role: str, task: RoleTask, items: int) -> Iterator[tuple[str, str]]:
    """Prompt and ground truth of each problem."""
    count = len(task.cases.rows) if isinstance(task.cases, RepeatedTable) else items
    return ((task.prompt(number), ground_truth(role, task.cases.case(number))) for number in range(count))


def _write(folder: Path, backend: Backend, split: str, pairs: Iterator[tuple[str, str]]) -> int:
    if backend == "verl":
        rows = (verl_row(*pair, split, number) for number, pair in enumerate(pairs))
        return write_parquet(folder / f"{split}.parquet", SCHEMA, rows, "out")
    row: Callable[[str, str], Row] = {"slime": slime_row, "nemo_gym": nemo_gym_row, "trl": _messages}.get(
        backend, _text
    )
    return write_json_lines(folder / f"{split}.jsonl", (row(*pair) for pair in pairs))


def _messages(prompt: str, truth: str) -> Row:
    return {"prompt": [{"role": "user", "content": prompt}], "ground_truth": truth}


def _text(prompt: str, truth: str) -> Row:
    return {"prompt": prompt, "ground_truth": truth}


def usage(folder: Path, backend: Backend) -> str:
    """The settings by which an engine uses the folder."""
    place = folder.absolute()
    return (
        f"{VARIABLE}={place} "
        + {
            "trl": f"(reward: trl_reward(load_rewards({str(place)!r})), data: {place}/train.jsonl)",
            "verifiers": f"PYTHONPATH={place} vf-eval lemmata_roles --env.agent.harness.id null",
            "verl": f"data.train_files={place}/train.parquet custom_reward_function.path={_file('for_verl')} "
            "custom_reward_function.name=compute_score",
            "slime": f"--custom-rm-path rl.adapters.for_slime.custom_rm --prompt-data {place}/train.jsonl "
            "--input-key prompt --label-key label --apply-chat-template",
            "nemo_gym": f"ng_run '+config_paths=[{place}/{SERVER}.yaml,...]'",
        }[backend]
    )


def _file(module: str) -> Path:
    return Path(__file__).parent / f"{module}.py"
