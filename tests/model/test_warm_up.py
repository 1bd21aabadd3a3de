"""Commands of the conversion: text, resumable warm-up, and measured losses of selections against explicit formulas."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5.11")

import torch
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import Whitespace
from torch.nn.functional import cross_entropy

from kernels import dispatch, reference
from model import ModelError, load_pretrained
from model.convert import measure as measuring
from model.convert.__main__ import main
from model.convert.measure import (
    SelectionMethod,
    by_indexer,
    every_token,
    first_and_recent,
    measure,
    most_recent,
    selections,
)
from model.convert.text import read_documents, stream, tokenize, windows
from model.convert.warm_up import WarmUp, warm_up
from model.rope import rope_tables
from tests.model.llamas import SHAPE, save_llama
from tests.model.tiny import random_ids, tiny_model

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SETTINGS: dict[str, Any] = {"text": "t", "batch": 2, "tokens": 12, "lr": 1e-2, "seed": 3, "save_every": 2}
TEXT = random_ids(1, 300)[0]


def warmed(state: Path, *steps: int, **changes: Any) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Returns weights and losses after runs up to each number of steps, each with a new model and optimizer."""
    model, losses = tiny_model(), []
    for last in steps:
        model = tiny_model()
        losses = warm_up(model, TEXT, WarmUp(steps=last, **(SETTINGS | changes)), state, lambda *_: None)
    return model.state_dict(), losses


def test_an_interrupted_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, losses = warmed(tmp_path / "whole", 6)
    parts, losses_of_parts = warmed(tmp_path / "parts", 2, 5, 6)
    assert losses == losses_of_parts
    assert len(losses) == 6
    assert all(torch.equal(weight, parts[name]) for name, weight in whole.items())
    learnt = "model.layers.0.self_attn.indexer.wk.weight"
    assert not torch.equal(whole[learnt], tiny_model().state_dict()[learnt])


def test_a_killed_run_resumes_from_its_last_state(tmp_path: Path) -> None:
    whole, _ = warmed(tmp_path / "whole", 5)

    def kill(step: int, _loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warm_up(tiny_model(), TEXT, WarmUp(steps=5, **SETTINGS), tmp_path / "killed", kill)
    assert len(torch.load(tmp_path / "killed", weights_only=True)["losses"]) == 2
    again, _ = warmed(tmp_path / "killed", 5)
    assert all(torch.equal(weight, again[name]) for name, weight in whole.items())


def test_a_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    warmed(tmp_path / "state", 1)
    with pytest.raises(ModelError, match="a run with other lr, text; remove it"):
        warmed(tmp_path / "state", 2, lr=1e-3, text="u")


def test_batches_are_different_windows_of_the_text() -> None:
    settings = WarmUp(steps=9, **SETTINGS)
    pieces = {tuple(piece.tolist()) for piece in TEXT.unfold(0, 12, 1)}
    batches = [settings.batch_of(TEXT, step) for step in range(9)]
    assert all(tuple(row.tolist()) in pieces for batch in batches for row in batch)
    assert len({tuple(batch.flatten().tolist()) for batch in batches}) == 9
    assert torch.equal(batches[4], settings.batch_of(TEXT, 4))
    with pytest.raises(ModelError, match="11 tokens, fewer than the 12"):
        settings.batch_of(TEXT[:11], 0)


def chosen(select: measuring.Select, tokens: int) -> list[list[int]]:
    """Returns the tokens of each query by a selection that depends only on positions."""
    nothing = torch.empty(0)
    rows = select(dispatch.IndexInputs(nothing, nothing, nothing), torch.arange(tokens).unsqueeze(0))[0]
    return [sorted(set(row.tolist()) - {-1}) for row in rows]


def test_selections_by_position() -> None:
    assert chosen(every_token, 9) == [list(range(t + 1)) for t in range(9)]
    assert chosen(most_recent(3), 9) == [list(range(max(0, t - 2), t + 1)) for t in range(9)]
    expected = [sorted({*range(min(4, t + 1)), *range(max(0, t - 1), t + 1)}) for t in range(9)]
    assert chosen(first_and_recent(6), 9) == expected


@torch.no_grad()
def test_perplexity_equals_the_models() -> None:
    ids = random_ids(3, 40)
    dense, sparse = tiny_model(index_topk=40), tiny_model(index_topk=8)
    perplexity, measured = measure(sparse, ids, [8], batch=2)

    def loss(model: torch.nn.Module) -> torch.Tensor:
        return cross_entropy(model(ids)[:, 19:-1].transpose(1, 2), ids[:, 20:], reduction="none").mean(1)

    assert perplexity == pytest.approx(loss(dense).mean().exp().item(), rel=1e-5)
    found = {row.selection: row for row in measured}
    own = found[SelectionMethod("indexer", 8)]
    more = loss(sparse) - loss(dense)
    assert own.perplexity == pytest.approx(loss(sparse).mean().exp().item(), rel=1e-5)
    assert own.loss_difference == pytest.approx(more.mean().item(), abs=1e-5)
    assert own.standard_error == pytest.approx(more.std().item() / 3**0.5, abs=1e-5)
    assert found[SelectionMethod("best", 8)].perplexity is None


def attention_input(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Returns the input of the first layer's attention."""
    return model.model.layers[0].input_layernorm(model.model.embed_tokens(ids))


@torch.no_grad()
def test_shares_of_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "QUERIES", 7)
    model, ids, k = tiny_model(index_topk=40), random_ids(2, 40), 6
    shares = measuring.attention_shares(model, ids, selections([k]) | {SelectionMethod("all", 0): every_token}, [k])
    attention: Any = model.model.layers[0].self_attn
    positions = torch.arange(40).expand(2, -1)
    x = attention_input(model, ids)
    rope = rope_tables(model.config, positions)
    inputs = attention.project(x, rope)
    index = attention.index(x, inputs.latent_BSQ, attention.indexer.keys(x, rope), rope)
    logits = torch.einsum("bshd,btd->bhst", inputs.q_BSHD, inputs.rows_BSD) * attention.scale
    p = logits.masked_fill(torch.ones(40, 40).triu(1).bool(), -torch.inf).softmax(-1).mean(1)[:, 20:]
    mask = reference.membership(by_indexer(k)(index, positions), 40)[:, 20:]
    torch.testing.assert_close(shares[SelectionMethod("indexer", k)][0], (p * mask).sum(-1).mean())
    torch.testing.assert_close(shares[SelectionMethod("best", k)][0], p.topk(k).values.sum(-1).mean())
    torch.testing.assert_close(shares[SelectionMethod("all", 0)], torch.ones(3))
    assert all(
        (shares[SelectionMethod("best", k)] >= share - 1e-6).all() for way, share in shares.items() if way.k == k
    )


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """Saves a tiny Llama with a tokenizer, and a text."""
    folder = tmp_path / "llama"
    save_llama(folder)
    words = {f"w{number}": number for number in range(SHAPE["vocab_size"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    tokenizer.save(str(folder / "tokenizer.json"))
    documents = [" ".join(f"w{number}" for number in ids) for ids in random_ids(6, 70).tolist()]
    (tmp_path / "text").write_text("".join(json.dumps({"text": document}) + "\n" for document in documents))
    return folder


def test_documents(llama: Path) -> None:
    documents = tokenize(llama, read_documents(llama.parent / "text"))
    assert documents == random_ids(6, 70).tolist()
    assert stream([[5, 6], [7]], 2).tolist() == [5, 6, 2, 7, 2]
    assert windows([[1, 2, 3, 4, 5], [6], [7, 8]], 2, 9).tolist() == [[1, 2], [3, 4], [7, 8]]
    assert windows([[1, 2, 3, 4, 5]], 2, 1).tolist() == [[1, 2]]
    with pytest.raises(ModelError, match="no document has 80 tokens"):
        windows(documents, 80, 9)


@pytest.mark.parametrize(
    ("text", "message"), [('{"text": "a"}\n{"texts": "b"}\n', "line 2: not a JSON object"), ("", "has no documents")]
)
def test_invalid_texts(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(text)
    with pytest.raises(ModelError, match=message):
        read_documents(tmp_path / "text")


def test_the_commands(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent = llama.parent
    fresh, warm, text = str(parent / "fresh"), str(parent / "warm"), ["--text", str(parent / "text")]
    main(["gqa", str(llama), fresh, "--index-n-heads", "4", "--index-head-dim", "8", "--index-topk", "16"])
    warming = ["warm-up", fresh, warm, *text, "--state", str(parent / "state"), "--batch", "2", "--tokens", "40"]
    for steps in ("15", "30"):
        main([*warming, "--steps", steps, "--lr", "1e-2"])
    assert capsys.readouterr().out.count("step ") == 30
    windows_of_40 = [*text, "--tokens", "40", "--top-k", "8"]
    shares = []
    for folder in (fresh, warm):
        main(["measure", folder, *windows_of_40, "--out", str(parent / "out.json")])
        record = json.loads((parent / "out.json").read_text())
        assert record["windows"] == 6
        shares.append({row["selection"]: row["share"] for row in record["selections"]})
    assert shares[1]["indexer"] > shares[0]["indexer"] + 0.05
    assert shares[1]["best"] == pytest.approx(shares[0]["best"], abs=1e-5)
    assert (parent / "warm" / "tokenizer.json").is_file()
    assert load_pretrained(warm).config == load_pretrained(fresh).config
    assert "share of attention" in capsys.readouterr().out


def test_commands_report_input_errors(llama: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: .*model_type is 'llama'"):
        main(["measure", str(llama), "--text", str(llama.parent / "text")])
    main(["gqa", str(llama), str(llama.parent / "dsa")])
    options = ["--text", str(llama.parent / "text"), "--tokens", "40", "--top-k"]
    for k in ("4", "20"):
        with pytest.raises(SystemExit, match=f"--top-k {k} is not between 4 and half a window"):
            main(["measure", str(llama.parent / "dsa"), *options, k])
