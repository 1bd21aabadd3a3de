"""Run folders: resuming with the same settings, refusing others, and never touching what is no run."""

from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import LemmataError
from core.imported import imported_proof
from core.records import SCHEMA_VERSION, Problem, Record
from core.store import Run, difference, flatten, matches, now
from tests.records import PROBLEM, PROOF, analysis, label

CONFIG = {"seed": 0, "policy": {"model": "m", "base_url": "http://a"}, "stop": [], "policies": {}}
GIVEN = replace(imported_proof(PROBLEM, "So.", model="m"), problem_id=PROBLEM.id)
LABEL = label("l", "exact", 1.0)


def start(folder: Path, *, may_change: tuple[str, ...] = (), command: str = "refine", **changes: Any) -> Run:
    """Start the run, let it hold a problem with a proof, and leave it."""
    with Run.start(folder, command, CONFIG | changes, may_change) as run, closing(run.log(PROBLEM)) as log:
        log.append([PROOF] if PROOF.id not in log else [])
        return run


def test_a_new_run_says_what_made_it(tmp_path: Path) -> None:
    run = start(tmp_path / "a" / "run")
    manifest = yaml.safe_load((run.folder / "run.yaml").read_text())
    assert manifest["config"] == {"command": "refine", **CONFIG}
    assert manifest["schema"] == SCHEMA_VERSION
    assert manifest["created"][:16] == now()[:16]
    assert Run.read(run.folder).manifest == manifest
    assert manifest["lemmata"] == version("lemmata")
    assert list(run.records()) == [PROBLEM, PROOF]


def test_the_same_settings_resume(tmp_path: Path) -> None:
    before = start(tmp_path).manifest
    assert start(tmp_path).manifest == before
    assert list(Run.read(tmp_path).records()) == [PROBLEM, PROOF]


def test_other_settings_are_refused_and_the_difference_is_shown(tmp_path: Path) -> None:
    start(tmp_path)
    changed = {"policy": {"model": "n", "base_url": "http://a", "extra": 1}, "stop": ["x"]}
    with pytest.raises(LemmataError) as error:
        start(tmp_path, command="prove", **changed)
    message = str(error.value).splitlines()
    assert message[0] == f"run {tmp_path} was started with other settings:"
    assert message[1:-1] == [
        "  command: 'refine' -> 'prove'",
        "  policy.model: 'm' -> 'n'",
        "  stop: [] -> ['x']",
        "  policy.extra: None -> 1",
    ]
    assert "choose another run=FOLDER" in message[-1]
    start(tmp_path)


def test_settings_that_may_change(tmp_path: Path) -> None:
    start(tmp_path, budget={"tokens": 5})
    kept = ("budget", "policy.base_url", "policies.*.base_url")
    start(tmp_path, budget={"tokens": 9, "money": 1}, policy={"model": "m", "base_url": "http://b"}, may_change=kept)
    with pytest.raises(LemmataError, match=r"policy\.model"):
        start(tmp_path, budget={"tokens": 9}, policy={"model": "n", "base_url": "http://b"}, may_change=kept)


@pytest.mark.parametrize(
    ("key", "pattern", "expected"),
    [
        ("budget.tokens", "budget", True),
        ("budget", "budget", True),
        ("budgets", "budget", False),
        ("policy.base_url", "policy.base_url", True),
        ("policy.retry.attempts", "policy.retry", True),
        ("policy.retrying", "policy.retry", False),
        ("policies.judge.base_url", "policies.*.base_url", True),
        ("policies.judge.model", "policies.*.base_url", False),
        ("Budget", "budget", False),
    ],
)
def test_patterns(key: str, pattern: str, expected: bool) -> None:
    assert matches(key, [pattern]) == expected


def test_flatten_and_difference() -> None:
    nested = {"a": {"b": {"c": 1}, "d": {}}, "e": [{"f": 2}], 3: None}
    assert dict(flatten(nested)) == {"a.b.c": 1, "a.d": {}, "e": [{"f": 2}], "3": None}
    assert difference(nested, nested) == []
    assert difference({"a": 1, "b": 2}, {"b": 3, "c": 4}) == [("a", 1, None), ("b", 2, 3), ("c", None, 4)]


def test_a_run_that_holds_nothing_takes_new_settings(tmp_path: Path) -> None:
    """A command that ended on a misspelt setting must not have spoilt the folder for the right one."""
    Run.start(tmp_path, "refine", CONFIG | {"seed": 1}).__exit__()
    assert start(tmp_path).manifest["config"]["seed"] == 0
    with pytest.raises(LemmataError, match="seed: 0 -> 1"):
        start(tmp_path, seed=1)


@pytest.mark.parametrize(
    ("command", "more", "kept"),
    [
        ("refine", [], False),
        ("verify", [GIVEN, LABEL], False),  # copies of the source, which are made again
        ("import", [GIVEN], True),
        ("refine", [PROOF], True),
        ("verify", [GIVEN, analysis("a", 1.0)], True),
    ],
    ids=["nothing", "copies", "imported", "sampled proof", "sampled analysis"],
)
def test_a_run_without_a_sample_takes_new_settings(
    tmp_path: Path, command: str, more: list[Record], kept: bool
) -> None:
    with Run.start(tmp_path, command, {"seed": 1}) as run, closing(run.log(PROBLEM)) as log:
        log.append(more)
    if kept:
        with pytest.raises(LemmataError, match="seed: 1 -> 0"):
            Run.start(tmp_path, command, {"seed": 0})
    else:
        with Run.start(tmp_path, command, {"seed": 0}) as run:
            assert (run.manifest["config"]["seed"], run.log_paths()) == (0, [])


def test_a_folder_of_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(LemmataError, match="holds files that are not a run"):
        start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_left_by_a_kill_before_the_manifest_is_taken(tmp_path: Path) -> None:
    (tmp_path / "problems").mkdir()
    (tmp_path / "lock").touch()
    (tmp_path / "run.tmp").write_text("half a mani")
    start(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "problems", "run.yaml"]


def test_a_path_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LemmataError, match="cannot create run folder"):
        start(tmp_path / "file" / "run")


def test_reading_what_is_no_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(LemmataError, match="is not a run folder"):
            Run.read(folder)


def test_another_schema_is_refused_by_name(tmp_path: Path) -> None:
    start(tmp_path)
    path = tmp_path / "run.yaml"
    path.write_text(path.read_text().replace(f"schema: {SCHEMA_VERSION}", "schema: 99"))
    for attempt in (lambda: Run.read(tmp_path), lambda: start(tmp_path)):
        with pytest.raises(LemmataError, match=f"has schema version 99, this program reads {SCHEMA_VERSION}"):
            attempt()


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", "text", "lemmata: 1", "\x00"])
def test_a_damaged_manifest(tmp_path: Path, content: str) -> None:
    start(tmp_path)
    (tmp_path / "run.yaml").write_text(content)
    for attempt in (lambda: Run.read(tmp_path), lambda: start(tmp_path)):
        with pytest.raises(LemmataError, match=r"run\.yaml cannot be read"):
            attempt()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Run.start(tmp_path, "refine", CONFIG):
        with pytest.raises(LemmataError, match="is being written by another process"):
            start(tmp_path)
        assert list(Run.read(tmp_path).records()) == []
    start(tmp_path)


def test_a_refused_start_leaves_the_folder_free(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(LemmataError):
        start(tmp_path, seed=1)
    start(tmp_path)


def test_problems_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    with Run.start(tmp_path, "prove", CONFIG) as run:
        for name in ("c", "a", "b"):
            run.log(Problem(id=name, statement=f"Prove {name}.")).close()
        run.log(Problem(id="a", statement="Prove a.", name="later")).close()
        run.append_metrics({"calls": 1})
        run.append_metrics({"calls": 2})
    assert [record.id for record in run.records()] == ["a", "b", "c"]
    assert [yaml.safe_load(line)["calls"] for line in (tmp_path / "metrics.jsonl").open()] == [1, 2]
