"""Bad settings: one message each that names the key as the user writes it, and no folder left behind."""

import json
from pathlib import Path

import pytest

from tests.command import CommandLine, Served

PROVE = ["prove", "problem=Prove A."]
REFINE = ["refine", "problem=Prove A."]
VERIFY = ["verify", "source=t.jsonl"]
NOT_SET = "{0} is not set; give it as {0}=VALUE\n"
AT_LEAST_1 = "input should be greater than or equal to 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # mandatory values
        ([*REFINE, "policy=endpoint"], NOT_SET.format("policy.base_url")),
        ([*REFINE, "policy=endpoint", "policy.base_url=http://x/v1"], NOT_SET.format("policy.model")),
        ([*REFINE, "policy=replay"], NOT_SET.format("policy.run")),
        (["export", "run=r"], NOT_SET.format("out")),
        (["export", "out=o"], NOT_SET.format("run")),
        (["import", "run=r"], NOT_SET.format("source")),
        (["import", "source=t.jsonl"], NOT_SET.format("run")),
        (["verify"], NOT_SET.format("source")),
        (["review"], NOT_SET.format("source")),
        (["label"], NOT_SET.format("source")),
        (
            [*REFINE, "policy=endpoint", "+policies.judge.model=m", "verifier.policy=judge", "prover.policy=judge",
             "meta_verifier.policy=judge"],
            "policies.judge.base_url is not set; give it as +policies.judge.base_url=VALUE\n",
        ),
        # wrong types and values
        ([*PROVE, "seed=abc"], "seed='abc': input should be a valid integer\n"),
        ([*PROVE, "proofs=two"], "proofs='two': input should be a valid integer, unable to parse"),
        ([*PROVE, "limit=0", "split=[1]"], f"split=[1]: input should be a valid string; limit=0: {AT_LEAST_1}\n"),
        (
            [*PROVE, "sampling.temperature=hot", "sampling.top_p=0", "sampling.stop=END"],
            "sampling.temperature='hot': input should be a valid number, unable to parse string as a number; "
            "sampling.top_p=0: input should be greater than 0; sampling.stop='END': input should be a valid list\n",
        ),
        ([*PROVE, "verifier.max_tokens=0"], f"verifier.max_tokens=0: {AT_LEAST_1}\n"),
        (
            [*PROVE, "policy=smollm2", "policy.concurrency=0", "policy.prices.prompt=dear"],
            f"policy.concurrency=0: {AT_LEAST_1}; policy.prices.prompt='dear': input should be a valid number, ",
        ),
        ([*PROVE, "budget.tokens=lots"], "budget.tokens='lots': input should be a valid integer"),
        ([*PROVE, "progress.seconds=0"], "progress.seconds=0: input should be greater than 0\n"),
        (
            [*REFINE, "refine.rounds=0", "refine.strategy=luck", "refine.select=best"],
            f"refine.strategy='luck': input should be 'search' or 'sequential'; refine.rounds=0: {AT_LEAST_1}; "
            "refine.select='best': input should be 'mean', 'lower_bound', 'self_score', 'last' or 'pairwise'\n",
        ),
        (
            [*REFINE, "judge.analyses=-1", "judge.acceptance.use_reviews=some", "judge.acceptance.rule=luck"],
            "judge.analyses=-1: input should be greater than or equal to 0; judge.acceptance.use_reviews='some': input "
            "should be 'ignore', 'filter' or 'weight'; judge.acceptance.rule='luck': input should be 'unanimous', ",
        ),
        ([*VERIFY, "judge.acceptance.min_verdicts=0"], f"judge.acceptance.min_verdicts=0: {AT_LEAST_1}\n"),
        (["label", "source=t.jsonl", "label.k=0"], f"label.k=0: {AT_LEAST_1}\n"),
        # settings that do not go together
        (
            [*REFINE, "policy=smollm2", "judge.analyses=2"],
            "with judge.analyses=2 no proof can have the 3 verdicts that acceptance needs; raise judge.analyses, or "
            "lower judge.acceptance.min_verdicts\n",
        ),
        ([*REFINE, "judge.analyses=0"], "refine.strategy=search needs judge.analyses of at least 1\n"),
        ([*VERIFY, "judge.analyses=0"], "judge.analyses must be at least 1.\n"),
        (["review", "source=t.jsonl", "judge.reviews=0"], "judge.reviews must be at least 1.\n"),
        (["prove", "lab_problem.level=9"], "lab_problem: no level 9 in split 'test'"),
        (["prove", "lab_problem.family=primes"], "lab_problem: no family 'primes'"),
        (["prove", "policy.model=pkg://nowhere/m"], "say which"),
        ([*PROVE, "policy.model=pkg://nowhere/m"], "pkg://nowhere/m: no package 'nowhere' is installed\n"),
        (
            ["prove", "policy=smollm2"],
            "say which problems: either problems=FILE (or a data set id), or problem='STATEMENT'.\n",
        ),
        ([*PROVE, "problems=t.jsonl"], "say which problems: either problems=FILE"),
        (["prove", "problem= "], "the given statement is empty"),
        # unknown keys
        ([*PROVE, "polcy.model=x"], "Could not override 'polcy.model'"),
        ([*PROVE, "+polcy=x"], "polcy: there is no such setting\n"),
        ([*PROVE, "+policy.modle=x"], "policy.modle: there is no such setting\n"),
        ([*PROVE, "+sampling.min_p=1"], "sampling.min_p: there is no such setting\n"),
        ([*PROVE, "+prover.min_p=1"], "prover.min_p: there is no such setting\n"),
        ([*REFINE, "+judge.analysis=1"], "judge.analysis: there is no such setting\n"),
        ([*VERIFY, "problem=Prove A."], "Could not override 'problem'"),
        (["export", "run=r", "out=o", "+more=1"], "more: there is no such setting\n"),
        # policies
        ([*PROVE, "verifier.policy=judge"], "verifier.policy=judge: no such policy; known: policy.\n"),
        ([*PROVE, "+policies.judge=gpt"], "policies.judge='gpt': give its settings one by one"),
        ([*PROVE, "policy.kind=oracle"], "policy.kind='oracle': known kinds are endpoint, local and replay.\n"),
        ([*PROVE, "policy=replay", "policy.run=nowhere"], "nowhere is not a run folder"),
        ([*PROVE, "policy=oracle"], "In 'prove': Could not find 'policy/oracle'\n\nAvailable options in 'policy':"),
        ([*PROVE, "prompts=nowhere"], "the template folder nowhere is not there"),
        # sources
        (["prove", "problems=nowhere.jsonl"], "no file or folder 'nowhere.jsonl'"),
        (["export", "run=nowhere", "out=o"], "nowhere is not a run folder"),
        # the server
        (["serve"], NOT_SET.format("model")),
        (["serve", "model=m", "dtype=int8"], "dtype='int8': input should be 'float32', 'bfloat16' or 'float16'\n"),
        (["serve", "model=m", "port=99999"], "port=99999: input should be less than or equal to 65535\n"),
        (["serve", "model=m", "limits.n=0", "engine.page_size=0"], f"engine.page_size=0: {AT_LEAST_1}; limits.n=0: "),
        (["serve", "model=m", "+limits.m=1"], "limits.m: there is no such setting\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_settings(lemmata: CommandLine, arguments: list[str], message: str) -> None:
    output = lemmata.fails(*arguments)
    assert output.removeprefix("lemmata: ").startswith(message), output
    assert list(lemmata.folder.iterdir()) == []


def test_a_run_folder_is_not_spoilt_by_a_misspelt_setting(lemmata: CommandLine, served: Served) -> None:
    Path("t.jsonl").write_text(json.dumps({"task": "Prove A."}) + "\n")
    command = ["prove", "problems=t.jsonl", "run=r", *served.policy()]
    assert "no column holds the statement" in lemmata.fails(*command)
    assert "has no column 'tsak'" in lemmata.fails(*command, "columns.statement=tsak")
    lemmata.ok(*command, "columns.statement=task")
    output = lemmata.fails("import", "source=t.jsonl", "run=i", "proof_columns.statement=task")
    assert "no column holds the proof" in output
    assert "Name it: proof_columns.proof=<column>" in output
    lemmata.ok("import", "source=t.jsonl", "run=i", "proof_columns.statement=task", "proof_columns.proof=task")


def test_names_that_look_like_numbers(lemmata: CommandLine, served: Served) -> None:
    Path("7.jsonl").write_text('{"statement": "Prove A."}\n')
    lemmata.ok("prove", "problems=7.jsonl", "run=2024", *served.policy())
    lemmata.ok("import", "source=2024", "run=2025")
    lemmata.ok("export", "run=2025", "out=2026")
    assert {"2024", "2025", "2026"} <= {path.name for path in lemmata.folder.iterdir()}


def test_keys_that_the_user_may_add(lemmata: CommandLine, served: Served) -> None:
    extra = ["+policy.extra_body.top_k=20", "+policy.headers.x-name=me", "+columns.extra=[level]", "++seed=3"]
    Path("t.jsonl").write_text('{"statement": "Prove A.", "level": "7"}\n')
    lemmata.ok(
        "prove", "problems=t.jsonl", "run=r", *[e.replace("+columns", "columns") for e in extra], *served.policy()
    )
    assert served.server.requests[0]["top_k"] == 20
