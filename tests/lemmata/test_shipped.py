"""The model that the project ships: its policy, its domain, and a word about statements outside it."""

from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")

from core.records import Problem
from core.store import Run
from model import save_pretrained
from model.tokenizer import byte_tokenizer
from policy.local_config import model_folder
from tests.command import CommandLine
from tests.model.tiny import byte_model

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SHIPPED = model_folder("pkg://model/shipped")
INSIDE = "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."
SMALL = ["refine.proofs=1", "refine.rounds=1", "sampling.max_tokens=20"]
requires_shipped = pytest.mark.skipif(not (SHIPPED / "model.safetensors").is_file(), reason="no shipped model")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new model that says it was trained on inequalities."""
    tokenizer = byte_tokenizer()
    folder = tmp_path_factory.mktemp("model")
    save_pretrained(byte_model(vocab_size=len(tokenizer), max_position_embeddings=8192), folder, tokenizer)
    (folder / "domain.json").write_text('{"families": ["inequalities"], "levels": [1, 2, 3], "prompts": "lab"}')
    return folder


def test_a_statement_inside_the_domain(lemmata: CommandLine, model: Path) -> None:
    output = lemmata.ok("refine", f"problem={INSIDE}", "run=r", f"policy.model={model}", *SMALL)
    assert "warning" not in output.err
    config = yaml.safe_load((lemmata.folder / "r" / "run.yaml").read_text())["config"]
    assert (config["prompts"], config["policy"]["thinking"], config["policy"]["kind"]) == ("lab", False, "local")


def test_a_statement_outside_the_domain_is_warned_of_once(lemmata: CommandLine, model: Path) -> None:
    (lemmata.folder / "p.jsonl").write_text('{"statement": "Prove A."}\n{"statement": "Prove B."}\n')
    output = lemmata.ok("prove", "problems=p.jsonl", "run=r", f"policy.model={model}", "sampling.max_tokens=20")
    assert output.err.count("warning: ") == 1
    assert f"{model} was trained on the lab's inequalities of levels 1, 2, 3 alone" in output.err
    assert "this statement is none of them: " in output.err
    assert "lemmata prove problem='...' policy=endpoint policy.base_url=" in output.err
    assert len([record for record in Run.read("r").records() if isinstance(record, Problem)]) == 2


def test_a_model_without_a_domain_is_not_warned_of(lemmata: CommandLine, model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in model.iterdir():
        if path.name != "domain.json":
            (copy / path.name).write_bytes(path.read_bytes())
    output = lemmata.ok("prove", "problem=Prove A.", "run=r", f"policy.model={copy}", "sampling.max_tokens=20")
    assert "warning" not in output.err
    (copy / "domain.json").write_text("{")
    assert "domain.json cannot be read" in lemmata.fails("prove", "problem=Prove A.", "run=s", f"policy.model={copy}")


def test_another_policy_brings_the_full_prompts_back(lemmata: CommandLine) -> None:
    shipped, other = (
        yaml.safe_load(lemmata.ok("refine", *more, "--cfg", "job").out) for more in ([], ["policy=local"])
    )
    assert (shipped["prompts"], shipped["sampling"]["max_tokens"]) == ("lab", 512)
    assert (other["prompts"], other["sampling"]["max_tokens"], other["policy"]["thinking"]) == (None, None, True)


def test_a_folder_of_a_package() -> None:
    assert (model_folder("pkg://lab/prompts") / "proof_generation.txt").is_file()
    assert model_folder("some/where") == Path("some/where")


@requires_shipped
def test_refine_without_any_setting(lemmata: CommandLine) -> None:
    output = lemmata.ok("refine")
    assert "warning" not in output.err
    assert "1 problem: 1 finished" in output.out
    assert "no model saw it): the claim is " in output.out
    assert lemmata.ok("refine").out == output.out  # it resumes


@requires_shipped
def test_a_statement_of_ones_own(lemmata: CommandLine) -> None:
    assert "the claim is true" in lemmata.ok("refine", f"problem={INSIDE}").out
    assert "warning: the shipped model was" in lemmata.ok("refine", "problem=Prove that 2 is prime.").err
