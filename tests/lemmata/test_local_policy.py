"""The loop on a DSA model in the same process."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from core.records import Proof
from core.store import Run
from model import save_pretrained
from model.tokenizer import byte_tokenizer
from tests.command import CommandLine
from tests.model.tiny import byte_model

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = byte_tokenizer()
    folder = tmp_path / "model"
    save_pretrained(byte_model(vocab_size=len(tokenizer), max_position_embeddings=8192), folder, tokenizer)
    return folder


def test_proofs_by_a_local_model(lemmata: CommandLine, model: Path, tmp_path: Path) -> None:
    settings = ["problem=Prove A.", f"run={tmp_path / 'run'}", "policy=local", f"policy.model={model}"]
    lemmata.ok("prove", *settings, "proofs=2", "sampling.max_tokens=30")
    proofs = [record for record in Run.read(tmp_path / "run").records() if isinstance(record, Proof)]
    assert len(proofs) == 2
    assert lemmata.ok("prove", *settings, "proofs=2", "sampling.max_tokens=30", "policy.engine.page_size=16")


def test_other_weights_are_another_run(lemmata: CommandLine, model: Path, tmp_path: Path) -> None:
    settings = ["problem=Prove A.", "policy=local", f"policy.model={model}", "sampling.max_tokens=30"]
    lemmata.ok("prove", *settings, f"run={tmp_path / 'run'}", "proofs=1")
    tokenizer = byte_tokenizer()
    save_pretrained(byte_model(seed=1, vocab_size=len(tokenizer), max_position_embeddings=8192), model, tokenizer)
    assert "weights.policy" in lemmata.fails("prove", *settings, f"run={tmp_path / 'run'}", "proofs=1")


def test_a_folder_that_is_none(lemmata: CommandLine, tmp_path: Path) -> None:
    output = lemmata.fails("prove", "problem=Prove A.", "policy=local", f"policy.model={tmp_path / 'no'}")
    assert f"{tmp_path / 'no'}" in output
