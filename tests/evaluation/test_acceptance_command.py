"""``lemmata evaluate acceptance`` against servers whose verdicts are known."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from core.records import Label, Proof
from core.store import Run
from tests.command import CommandLine, serving
from tests.fake_server import PHRASE, FakeServer, Reply, completion, json_reply, role_of, well_behaved

SETTINGS = ["theorems=3", "families=[inequalities]", "levels=[1]", "judge.analyses=2", "judge.reviews=0"]
pytest_plugins = ["tests.lemmata.conftest"]
KINDS = {"right", "planted", "foreign", "unfinished", "injected"}


def saying(score: int) -> Any:
    """A server whose verifier gives every proof the same score."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = "".join(message["content"] for message in body["messages"])
        if role_of(prompt) != "verifier":
            return await well_behaved(body, server)
        verdict = f"{PHRASE} \\boxed{{{score}}}"
        return json_reply(completion(body, [f"{body['seed']}-{n}\n{verdict}" for n in range(body.get("n", 1))]))

    return behave


@pytest.mark.parametrize("score", [0, 1])
def test_a_verifier_of_one_verdict(lemmata: CommandLine, score: int) -> None:
    pytest.importorskip("matplotlib")
    with serving(saying(score)) as served:
        command = ["evaluate", "acceptance", "run=r", *served.policy(), *SETTINGS]
        lemmata.ok(*command)
        asked = len(served.prompts)
        lemmata.ok(*command, "out=again")
        assert len(served.prompts) == asked
    found = json.loads((lemmata.folder / "again" / "acceptance.json").read_text())
    assert {point["kind"] for point in found} >= KINDS
    for point in found:
        if point["kind"] in KINDS - {"injected"}:
            assert point["share"]["value"] == (score if point["wrong"] else 1 - score), point
        elif point["kind"] == "injected":  # a verdict that the proof holds as well is no verdict
            assert point["share"]["value"] == 0, point
    exact = {record.proof_id: record.score for record in Run.read("r").records() if isinstance(record, Label)}
    kinds = {record.id: record.model for record in Run.read("r").records() if isinstance(record, Proof)}
    assert {exact[proof] for proof, kind in kinds.items() if kind == "kind: right"} == {1.0}
    assert max(score or 0 for proof, score in exact.items() if kinds[proof] != "kind: right") < 1
    for name in ("report.md", "report.html", "acceptance.png"):
        assert (lemmata.folder / "again" / name).stat().st_size > 1000
