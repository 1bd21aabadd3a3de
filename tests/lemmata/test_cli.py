"""Every command from the command line, against a server that answers in the right form."""

import json
import shlex
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from core.records import Analysis, Generated, Label, Problem, Proof, Record, Review, Selection
from core.store import Run
from lemmata.cli import COMMANDS, POSITIONAL
from tests.clocks import HANG
from tests.command import CommandLine, Served, serving
from tests.shared import shared

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STATEMENT = r"Show that $\{x : x=\frac{a}{b}\}$, \"a,b\" in ${Z}$, isn't [empty]: #1 = 100% 'ok' ???"


def records(folder: str | Path) -> list[Record]:
    return list(Run.read(folder).records())


def of(folder: str | Path, kind: type) -> list[Any]:
    return [record for record in records(folder) if isinstance(record, kind)]


def write_problems(folder: Path, *statements: str) -> str:
    path = folder / "problems.jsonl"
    path.write_text("".join(json.dumps({"name": f"n{i}", "statement": s}) + "\n" for i, s in enumerate(statements)))
    return str(path)


def python_m(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lemmata", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "80"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False, timeout=HANG
    )


# The program itself


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_usage_lists_every_command_on_a_line_of_its_own(lemmata: CommandLine, arguments: list[str]) -> None:
    lines = lemmata.ok(*arguments).out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)


def test_python_m_lemmata(tmp_path: Path) -> None:
    done = python_m("--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len([line for line in done.stdout.splitlines() if line.startswith("  ")]) == len(COMMANDS)


def test_version(lemmata: CommandLine) -> None:
    assert lemmata.ok("--version").out == f"lemmata {version('lemmata')}\n"


@pytest.mark.parametrize("arguments", ["train --help", "report --help", "--version"])
def test_a_reader_that_leaves_early_is_no_error(arguments: str, tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m lemmata {arguments} | true; exit ${{PIPESTATUS[0]}}"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
        timeout=HANG,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    done = python_m("import", "source=missing.jsonl", "run=r", folder=tmp_path)
    assert done.returncode == 1
    assert "lemmata: no file or folder 'missing.jsonl'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in POSITIONAL])
def test_cfg_job_prints_the_configuration(lemmata: CommandLine, command: str) -> None:
    config = yaml.safe_load(lemmata.ok(command, "--cfg", "job").out)
    assert "run" in config or command in {"serve", "lab", "merge", "explore", "adapt"}
    assert list(lemmata.folder.iterdir()) == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in POSITIONAL])
def test_help_of_a_command(lemmata: CommandLine, command: str) -> None:
    output = lemmata.ok(command, "--help").out
    assert "lemmata: self-verifiable mathematical reasoning" in output
    assert "--multirun" in output


def keys(lemmata: CommandLine, *arguments: str) -> dict[str, str]:
    """The settings in the help of a command line, with their values and comments."""
    lines = lemmata.ok(*arguments, "--help").out.splitlines()
    return dict(line.strip().split("=", 1) for line in lines if line.startswith("  ") and "=" in line.split("#")[0])


def test_help_shows_what_applies_with_the_chosen_policy(lemmata: CommandLine) -> None:
    endpoint = keys(lemmata, "refine", "policy=endpoint", "policy.base_url=http://a/v1")
    assert endpoint["policy.base_url"].startswith("http://a/v1   # such as http://localhost:8000/v1")
    assert "policy.retry.patience" in endpoint
    assert not {"policy.device", "policy.engine.cache_tokens", "lab_problem.family"} & endpoint.keys()
    shipped = keys(lemmata, "refine")
    assert {"policy.device", "policy.engine.cache_tokens", "lab_problem.family"} <= shipped.keys()
    assert not {"policy.base_url", "policy.retry.patience", "policy.prices.prompt"} & shipped.keys()
    assert shipped["judge.acceptance.rule"].startswith("quorum")
    assert "benchmark" not in shipped


def test_help_shows_what_applies_with_the_chosen_strategy_and_rule(lemmata: CommandLine) -> None:
    chosen = keys(lemmata, "refine", "policy=endpoint", "refine=sequential", "judge.acceptance.rule=mean")
    assert "refine.top" not in chosen
    assert "judge.acceptance.min_mean" in chosen
    assert "judge.acceptance.min_readable" not in chosen
    pairwise = keys(lemmata, "evaluate", "policy=endpoint", "refine.select=pairwise")
    assert pairwise["refine.candidates"].startswith("4   # of pairwise")
    assert {"benchmark", "grading.samples", "entrants"} <= pairwise.keys()


def test_help_of_a_preset_that_does_not_exist(lemmata: CommandLine) -> None:
    assert "policy=endpont" in lemmata.fails("refine", "policy=endpont", "--help")


def test_help_of_show(lemmata: CommandLine) -> None:
    assert "a record's id or its beginning" in lemmata.ok("show", "--help").out


def test_an_unknown_command(lemmata: CommandLine) -> None:
    output = lemmata.fails("refien")
    assert output.startswith("lemmata: unknown command 'refien'; known: refine, probe, prove, verify")


# Commands


def test_refine(lemmata: CommandLine, served: Served) -> None:
    problems = write_problems(lemmata.folder, "Prove A.", "Prove B.", "Prove A.")
    output = lemmata.ok("refine", f"problems={problems}", "run=r", *served.policy())
    assert "2 problems: 2 finished" in output.out
    assert "Read it: lemmata show r" in output.out
    assert {record.name for record in of("r", Problem)} == {"n0", "n1"}
    assert len(of("r", Selection)) == 2
    assert {record.model for record in of("r", Generated)} == {"model-x"}
    assert served.roles.keys() == {"prover", "verifier", "meta_verifier"}
    assert (lemmata.folder / "r" / "metrics.jsonl").read_text().count("\n") >= 1
    assert sorted(path.name for path in lemmata.folder.iterdir()) == ["problems.jsonl", "r"]


def test_the_same_command_resumes_and_asks_for_nothing_twice(lemmata: CommandLine, served: Served) -> None:
    command = ["refine", "problem=Prove A.", *served.policy()]
    lemmata.ok(*command)
    [folder] = (lemmata.folder / "runs").iterdir()
    before = {path: path.read_bytes() for path in Run.read(folder).log_paths()}
    asked = len(served.server.requests)
    lemmata.ok(*command)
    assert {path: path.read_bytes() for path in Run.read(folder).log_paths()} == before
    assert len(served.server.requests) == asked
    lemmata.ok(*command, "seed=1")
    assert len(list((lemmata.folder / "runs").iterdir())) == 2


def test_other_settings_are_refused(lemmata: CommandLine, served: Served) -> None:
    lemmata.ok("prove", "problem=Prove A.", "run=r", *served.policy())
    output = lemmata.fails("prove", "problem=Prove A.", "run=r", "prover.temperature=0.5", *served.policy("model-y"))
    assert "prover.temperature: 1.0 -> 0.5" in output
    assert "policy.model: 'model-x' -> 'model-y'" in output
    lemmata.ok("prove", "problem=Prove A.", "run=r", "policy.concurrency=3", "budget.tokens=9", *served.policy())


def test_from_proofs_to_labels_and_a_table(lemmata: CommandLine, served: Served) -> None:
    problems = write_problems(lemmata.folder, "Prove A.", "Prove B.")
    policy = served.policy()
    lemmata.ok("prove", f"problems={problems}", "proofs=3", "run=proved", *policy)
    assert Counter(record.kind for record in records("proved")) == {"problem": 2, "proof": 6}
    lemmata.ok("verify", "source=proved", "judge.analyses=4", "judge.reviews=0", "run=verified", *policy)
    assert Counter(record.kind for record in records("verified")) == {"problem": 2, "proof": 6, "analysis": 24}
    lemmata.ok("review", "source=verified", "judge.review=all", "judge.reviews=2", "run=reviewed", *policy)
    counts = Counter(record.kind for record in records("reviewed"))
    assert counts == {"problem": 2, "proof": 6, "analysis": 24, "review": 48}
    output = lemmata.ok("label", "source=reviewed", "run=labeled", *policy).out
    assert "6 labels by auto: " in output
    labels = of("labeled", Label)
    assert {label.proof_id for label in labels} == {proof.id for proof in of("proved", Proof)}
    assert all(label.reason for label in labels)
    output = lemmata.ok("export", "run=labeled", "out=deep/proofs.parquet").out
    assert output == "deep/proofs.parquet: 6 rows of table proofs\n"
    rows = pq.read_table("deep/proofs.parquet").to_pylist()
    assert {row["proof_id"]: row["auto_label"] for row in rows} == {label.proof_id: label.score for label in labels}
    assert {row["analyses"] for row in rows} == {8}
    assert served.roles.keys() == {"prover", "verifier", "meta_verifier"}


@pytest.mark.parametrize("table", ["problems", "analyses", "reviews", "labels", "selections", "refusals"])
def test_export_of_other_tables(lemmata: CommandLine, served: Served, table: str) -> None:
    lemmata.ok("refine", "problem=Prove A.", "refine.proofs=1", "refine.rounds=1", "run=r", *served.policy())
    output = lemmata.ok("export", "run=r", f"out={table}.parquet", f"table={table}").out
    assert output == f"{table}.parquet: {pq.read_table(f'{table}.parquet').num_rows} rows of table {table}\n"


def test_import_of_a_table_then_verify(lemmata: CommandLine, served: Served) -> None:
    rows = [{"task": STATEMENT, "try": f"Proof {number}: $\\frac{{1}}{{2}}$."} for number in range(3)]
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ["proof_columns.statement=task", "proof_columns.proof=try"]
    for _ in range(2):
        lemmata.ok("import", "source=t.jsonl", "run=imported", *columns)
        assert len(of("imported", Proof)) == 3
    lemmata.ok("verify", "source=imported", "run=v1", *served.policy())
    lemmata.ok("verify", "source=t.jsonl", "run=v2", *columns, *served.policy())
    texts = [sorted(analysis.text for analysis in of(folder, Analysis)) for folder in ("v1", "v2")]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 12
    assert all(STATEMENT in prompt for prompt in served.prompts)


def test_import_of_the_released_proofs(lemmata: CommandLine) -> None:
    source = shared("data/deepseek_math_v2/outputs/IMO2025.jsonl")
    output = lemmata.ok("import", f"source={source}", "run=r").out
    assert "6 problems" in output
    assert "6 labels by human" in output
    lemmata.ok("export", "run=r", "out=o.parquet")
    assert pq.read_table("o.parquet").column("human_max_points").to_pylist() == [7.0] * 6


# Statements and problem sets


@pytest.mark.parametrize(
    "statement",
    [STATEMENT, "a=b", "${oc.env:HOME}", "problem=x", "[1,2", "{a: b}", "  two\nlines ", "null or not", "-m"],
)
def test_a_statement_on_the_command_line_is_plain_text(lemmata: CommandLine, served: Served, statement: str) -> None:
    lemmata.ok("prove", f"problem={statement}", "run=r", *served.policy())
    [problem] = of("r", Problem)
    assert problem.statement == statement
    assert statement in served.prompts[0]


@pytest.mark.parametrize(
    ("preset", "source"),
    [
        ("deepseek_math_v2", "data/deepseek_math_v2/inputs/IMO2025.json"),
        ("imo_answerbench", "data/imobench/answerbench_v2.csv"),
        ("imo_proofbench", "data/imobench/proofbench_v2.csv"),
        ("proof_problems", "data/proof_problems/problems.parquet"),
    ],
)
def test_column_presets(lemmata: CommandLine, served: Served, preset: str, source: str) -> None:
    path = shared(source)
    lemmata.ok("prove", f"problems={path}", f"columns={preset}", "limit=3", "run=r", *served.policy())
    problems = of("r", Problem)
    assert len(problems) == 3
    assert all(problem.source == path.name for problem in problems)
    if preset == "imo_proofbench":
        assert all(problem.reference and problem.guidelines and problem.name for problem in problems)
        assert not any(problem.reference in prompt for problem in problems for prompt in served.prompts)


def test_limit_and_named_columns(lemmata: CommandLine, served: Served) -> None:
    Path("t.csv").write_text("Task,Number\nProve A.,1\nProve B.,2\nProve C.,3\n")
    columns = ["columns.statement=Task", "columns.name=Number"]
    lemmata.ok("prove", "problems=t.csv", "limit=2", "run=r", *columns, *served.policy())
    assert sorted(problem.name for problem in of("r", Problem)) == ["1", "2"]
    lemmata.ok("prove", "problems=t.csv", "limit=3", "run=r", *columns, *served.policy())
    assert len(of("r", Problem)) == 3


# Policies, prompts, sweeps


def test_named_policies_play_their_roles(lemmata: CommandLine, served: Served) -> None:
    with serving() as judge:
        named = ["+policies.judge.model=strict", f"+policies.judge.base_url={judge.url}"]
        roles = ["verifier.policy=judge", "meta_verifier.policy=judge", "verifier.temperature=0.25"]
        lemmata.ok("refine", "problem=Prove A.", "run=r", *served.policy("fast"), *named, *roles)
        assert served.roles.keys() == {"prover"}
        assert judge.roles.keys() == {"verifier", "meta_verifier"}
        assert {body["model"] for body in judge.server.requests} == {"strict"}
        temperatures = {role_temperature(body) for body in judge.server.requests}
    assert temperatures == {("verifier", 0.25), ("meta_verifier", 1.0)}
    assert {(r.kind, r.policy, r.model) for r in of("r", Generated)} == {
        ("proof", "policy", "fast"),
        ("analysis", "judge", "strict"),
        ("review", "judge", "strict"),
    }


def role_temperature(body: dict[str, Any]) -> tuple[str, float]:
    """The role that a request asks for, and its temperature."""
    asked = body["messages"][0]["content"]
    return ("meta_verifier" if "solution evaluation" in asked else "verifier", body["temperature"])


def test_replay_of_a_run_needs_no_server(lemmata: CommandLine, served: Served) -> None:
    lemmata.ok("refine", "problem=Prove A.", "run=r", *served.policy())
    lemmata.ok("refine", "problem=Prove A.", "run=again", "policy=replay", "policy.run=r")
    assert len(records("again")) == len(records("r")) > 20
    assert {r.id: r.text for r in of("r", Generated)} == {r.id: r.text for r in of("again", Generated)}
    assert [s.reason for s in of("r", Selection)] == [s.reason for s in of("again", Selection)]


def test_templates_of_ones_own(lemmata: CommandLine, served: Served) -> None:
    """In the form of DeepSeekMath-V2's files: doubled braces beside placeholders."""
    Path("prompts").mkdir()
    Path("prompts/proof_generation.txt").write_text(
        "Your task: solve it.\n\n## Solution\n...\n## Self Evaluation\n\\boxed{{...}}\nThe problem:\n{question}\n"
    )
    Path("prompts/proof_verification.txt").write_text("Grade it: {statement}\n## Proof\n{proof}\n\\boxed{{...}} {x}")
    output = lemmata.ok(
        "refine", f"problem={STATEMENT}", "run=r", "prompts=prompts", "refine.rounds=1", *served.policy()
    )
    assert "1 finished" in output.out
    first = served.prompts[0]
    assert first.startswith("Your task: solve it.")
    assert first.endswith(f"\\boxed{{...}}\nThe problem:\n{STATEMENT}\n")
    graded = [prompt for prompt in served.prompts if prompt.startswith("Grade it: ")]
    assert len(graded) == 4
    assert all(prompt.endswith("\\boxed{...} {x}") for prompt in graded)
    template = of("r", Proof)[0].template
    Path("prompts/proof_generation.txt").write_text("Changed. ## Self Evaluation {question}")
    output = lemmata.fails(
        "refine", f"problem={STATEMENT}", "run=r", "prompts=prompts", "refine.rounds=1", *served.policy()
    )
    assert f"templates.proof_generation: '{template}' -> " in output


def test_multirun_makes_a_run_of_each_value(lemmata: CommandLine, served: Served) -> None:
    output = lemmata.ok("prove", "-m", "problem=Prove A, or B.", "seed=0,1", "proofs=2", *served.policy())
    runs = list((lemmata.folder / "runs").iterdir())
    assert len(runs) == 2
    assert output.out.count("Read it: lemmata show") == 2
    assert len({proof.text for run in runs for proof in of(run, Proof)}) == 4
    assert {problem.statement for run in runs for problem in of(run, Problem)} == {"Prove A, or B."}


def test_a_failing_value_of_a_multirun_is_not_hidden(lemmata: CommandLine, served: Served) -> None:
    output = lemmata("prove", "-m", "problem=Prove A.", "proofs=0,1", *served.policy())
    assert output.code == 1
    assert "proofs=0: input should be greater than or equal to 1" in output.err
    assert len(list((lemmata.folder / "runs").iterdir())) == 1


def test_what_the_server_never_answers_is_left_unfinished(lemmata: CommandLine) -> None:
    async def broken(body: Any, server: Any) -> Any:
        return 500, {}, b"{}"

    with serving(broken) as served:
        retry = ["policy.retry.patience=0.5", "policy.retry.first_wait=0.01", "policy.retry.max_backoff=0.1"]
        output = lemmata("prove", "problem=Prove A.", "run=r", *retry, *served.policy())
    assert output.code == 2
    assert "stopped: no answer from " in output.err
    assert "Repeat the same command to resume" in output.err
    with serving() as served:
        lemmata.ok("prove", "problem=Prove A.", "run=r", *retry, *served.policy())
    assert len(of("r", Proof)) == 1


def test_reviews_go_with_their_analyses(lemmata: CommandLine, served: Served) -> None:
    lemmata.ok("refine", "problem=Prove A.", "run=r", "refine.rounds=1", *served.policy())
    analyses = {record.id: record for record in of("r", Analysis)}
    reviews = of("r", Review)
    assert {review.analysis_id for review in reviews} == {a.id for a in analyses.values() if (a.score or 0) < 1}


def test_a_failed_import_leaves_nothing_behind(lemmata: CommandLine) -> None:
    rows = [{"problem": "Prove A.", "proof": "A."}, {"problem": "Prove B.", "proof": " "}]
    source = lemmata.folder / "t.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "t.jsonl:2" in lemmata.fails("import", "source=t.jsonl", "run=new/run")
    assert not (lemmata.folder / "new").exists()
    source.write_text(json.dumps(rows[0]) + "\n")
    lemmata.ok("import", "source=t.jsonl", "run=r")
    before = {path.name: path.read_bytes() for path in (lemmata.folder / "r" / "problems").iterdir()}
    more = [rows[0], {"problem": "Prove C.", "proof": "C."}, rows[1]]
    source.write_text("".join(json.dumps(row) + "\n" for row in more))
    assert "t.jsonl:3" in lemmata.fails("import", "source=t.jsonl", "run=r")
    assert {path.name: path.read_bytes() for path in (lemmata.folder / "r" / "problems").iterdir()} == before
