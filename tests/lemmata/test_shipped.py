"""The model that the project ships: its policy, its domain, and a word about statements outside it."""

import json
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")

import lemmata as lemmata_package
from core.records import Analysis, Problem, Proof, Selection
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
    output = lemmata("refine", f"problem={INSIDE}", "run=r", f"policy.model={model}", *SMALL)
    assert output.code == 3  # a model without training says nothing that can be read
    assert "not judged" not in output.everything
    config = yaml.safe_load((lemmata.folder / "r" / "run.yaml").read_text())["config"]
    assert (config["prompts"], config["policy"]["thinking"], config["policy"]["kind"]) == ("lab", False, "local")


def statements(folder: Path, *found: str) -> Path:
    """A file of problems named p0, p1, ..."""
    path = folder / "p.jsonl"
    rows = [{"statement": statement, "name": f"p{number}"} for number, statement in enumerate(found)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_every_statement_outside_the_domain_is_named_where_nothing_is_judged(lemmata: CommandLine, model: Path) -> None:
    problems = statements(lemmata.folder, "Prove A.", "Prove B.")
    output = lemmata.ok("prove", f"problems={problems}", "run=r", f"policy.model={model}", "sampling.max_tokens=20")
    for name in ("p0", "p1"):
        assert (
            f"warning: {name}: the model {model} knows the lab's inequalities of levels 1, 2, 3 alone; " in output.err
        )
    assert len([record for record in Run.read("r").records() if isinstance(record, Proof)]) == 2


def test_outside_the_domain_nothing_is_asked_or_judged(lemmata: CommandLine, model: Path) -> None:
    others = ("Prove A.", "Prove that (x + 1)^2 = x^2 + 2x + 1 for all real x.")
    problems = statements(lemmata.folder, others[0], INSIDE, others[1])
    output = lemmata("refine", f"problems={problems}", "run=r", f"policy.model={model}", *SMALL)
    assert "3 problems: 3 finished, 0 accepted, 2 not judged" in output.out
    for name in ("p0", "p2"):
        assert f"{name}: not judged: outside what this model was trained on: " in output.out
    assert "p1: not judged" not in output.out
    names = {record.id: record.name for record in Run.read("r").records() if isinstance(record, Problem)}
    proved = {names[record.problem_id] for record in Run.read("r").records() if isinstance(record, Proof)}
    chosen = {names[one.problem_id]: one for one in Run.read("r").records() if isinstance(one, Selection)}
    assert proved == {"p1"}
    assert [chosen[name].accepted for name in ("p0", "p2")] == [False, False]
    assert lemmata("show", "r").out.count("not judged: outside") == 2


def test_a_run_of_statements_outside_the_domain_ends_with_a_code(lemmata: CommandLine, model: Path) -> None:
    output = lemmata("refine", "problem=Prove A.", "run=r", f"policy.model={model}", *SMALL)
    assert output.code == 3
    assert "nothing could be judged (1 problem outside what the model was trained on)" in output.err


def test_given_proofs_of_statements_outside_the_domain_are_not_judged(lemmata: CommandLine, model: Path) -> None:
    (lemmata.folder / "t.jsonl").write_text('{"statement": "Prove A.", "proof": "B.", "name": "p0"}\n')
    for _ in range(2):  # the second one resumes
        output = lemmata("verify", "source=t.jsonl", "run=r", f"policy.model={model}")
        assert (output.code, output.out.count("not judged: outside what this model was trained on")) == (3, 1)
    assert not [record for record in Run.read("r").records() if isinstance(record, Analysis)]
    found = lemmata_package.verify("Prove A.", "B.", policy=model)
    assert not found.accepted
    assert found.decision.reason.startswith("not judged: outside")


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
    assert "the shipped model knows the lab's" in lemmata("refine", "problem=Prove that 2 is prime.").out
