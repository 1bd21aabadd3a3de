"""Problem sets from every format: what is read, and what is said about tables that cannot be."""

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.columns import Columns
from core.config import read_config
from core.errors import LemmataError
from core.problems import load_problems, problem_id, single_problem
from core.records import Problem, to_json
from tests.shared import shared

Rows = Sequence[Mapping[str, Any]]
PRESETS = Path(__file__).parents[2] / "lemmata" / "conf" / "columns"
ROWS = [
    {"statement": "Prove A.", "name": "a", "reference": "By \\[4mm] B.", "answer": "1", "guidelines": "7 points"},
    {"statement": 'Prove B,\r\nthen "C".\n', "name": "b", "reference": None, "answer": None, "guidelines": None},
]
INPUTS = {"IMO2025": 6, "CMO2024": 6, "CMO2025": 6, "Putnam2024": 12}
TABLES = {"imobench/proofbench_v2.csv": 60, "imobench/answerbench_v2.csv": 400, "proof_problems/problems.parquet": 9834}
COUNTS = TABLES | {f"deepseek_math_v2/inputs/{name}.json": count for name, count in INPUTS.items()}


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_json(path: Path, rows: Rows) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_parquet(path: Path, rows: Rows) -> None:
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)


KINDS = ("json", "jsonl", "ndjson", "csv", "parquet")
WRITE: dict[str, Any] = dict(zip(KINDS, (write_json, write_jsonl, write_jsonl, write_csv, write_parquet), strict=True))


def jsonl(folder: Path, *lines: str | bytes) -> str:
    """A .jsonl file of these lines, as they are."""
    path = folder / "set.jsonl"
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return str(path)


def file(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def read(source: str, **columns: Any) -> list[Problem]:
    return list(load_problems(source, columns=Columns(**columns)))


def error_of(source: str, columns: Mapping[str, Any] | None = None, **options: Any) -> str:
    with pytest.raises(LemmataError) as caught:
        list(load_problems(source, columns=Columns(**columns or {}), **options))
    message = str(caught.value)
    assert "\n" not in message
    return message


# Formats


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_problems(tmp_path: Path, kind: str) -> None:
    WRITE[kind](tmp_path / f"set.{kind}", ROWS)
    first, second = read(str(tmp_path / f"set.{kind}"))
    assert (first.statement, first.name, first.reference) == ("Prove A.", "a", "By \\[4mm] B.")
    assert (first.answer, first.guidelines, first.source) == ("1", "7 points", f"set.{kind}")
    assert second.statement == ROWS[1]["statement"]
    assert (second.name, second.reference, second.answer, second.extra) == ("b", None, None, {})


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
columns = {"statement": texts.map("Prove {}".format), "name": texts, "reference": texts, "note": texts}
table_rows = st.fixed_dictionaries(columns)
tables = st.lists(table_rows, min_size=1, max_size=6, unique_by=lambda row: problem_id(row["statement"]))


def absent(text: str) -> bool:
    return text.strip() in ("", "null")


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(rows=tables)
def test_any_text_survives_every_format(tmp_path_factory: pytest.TempPathFactory, kind: str, rows: Rows) -> None:
    path = tmp_path_factory.mktemp("table") / f"set.{kind}"
    WRITE[kind](path, rows)
    problems = read(str(path))
    for problem, row in zip(problems, rows, strict=True):
        assert problem.statement == row["statement"]
        assert problem.name == ("" if absent(row["name"]) else " ".join(row["name"].split()))
        assert problem.reference == (None if absent(row["reference"]) else row["reference"])
        assert problem.extra.get("note", "") == row["note"]


@settings(deadline=None)
@given(rows=tables, data=st.data())
def test_ids_ignore_the_order(tmp_path_factory: pytest.TempPathFactory, rows: Rows, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("table")
    write_jsonl(folder / "one.jsonl", rows)
    write_jsonl(folder / "two.jsonl", data.draw(st.permutations(rows)))
    one, two = ({p.statement: p.id for p in read(str(folder / name))} for name in ("one.jsonl", "two.jsonl"))
    assert one == two
    assert len(set(one.values())) == len(rows)


def test_bom_crlf_blank_lines_and_a_list_within_an_object(tmp_path: Path) -> None:
    lines = '\ufeff{"problem": "Prove A."}\r\n\r\n  \r\n{"problem": "Prove B.\u2028"}\r\n'
    assert [p.statement for p in read(file(tmp_path, "a.jsonl", lines))] == ["Prove A.", "Prove B.\u2028"]
    assert [p.name for p in read(file(tmp_path, "b.csv", "\ufeffID,Problem\r\n\r\n,\r\n7,Prove A."))] == ["7"]
    assert [p.name for p in read(file(tmp_path, "c.json", '\ufeff{"n": 1, "data": [{"problem": "p", "id": 7}]}'))] == [
        "7"
    ]


def test_a_proof_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    write_csv(tmp_path / "set.csv", [{"problem": "Prove A.", "solution": "x" * 1_000_000}])
    assert len(read(str(tmp_path / "set.csv"))[0].reference or "") == 1_000_000


def test_reading_is_lazy(tmp_path: Path) -> None:
    problems = load_problems(jsonl(tmp_path, '{"problem": "Prove A."}', "broken"))
    assert next(problems).statement == "Prove A."
    with pytest.raises(LemmataError, match=r"set\.jsonl:2"):
        next(problems)


def test_limit(tmp_path: Path) -> None:
    path = jsonl(tmp_path, *(json.dumps({"problem": f"Prove {i % 3}."}) for i in range(9)))
    problems = load_problems(path, limit=2)
    assert [p.statement for p in problems] == ["Prove 0.", "Prove 1."]
    assert "at least 1" in error_of(path, limit=0)


def test_a_statement_is_yielded_once_whatever_its_white_space(tmp_path: Path) -> None:
    path = jsonl(tmp_path, *(json.dumps({"problem": p}) for p in ("Prove  A.", "Prove B.", "Prove\nA.\n", "Prove A.")))
    problems = load_problems(path)
    assert [problem.statement for problem in problems] == ["Prove  A.", "Prove B."]
    assert (problems.rows, problems.duplicates) == (4, 2)


def test_single_problem() -> None:
    problem = single_problem("Prove\n \ud800 A.")
    assert problem.statement == "Prove\n \ufffd A."
    assert problem.id == problem_id("Prove \ufffd A.")
    with pytest.raises(LemmataError, match="is empty"):
        single_problem(" \u200b\n\x00")


# Columns


@pytest.mark.parametrize("name", ["Statement", "PROBLEM", "question", " Problem Statement", "problem-statement"])
def test_known_names_are_found(tmp_path: Path, name: str) -> None:
    assert read(jsonl(tmp_path, json.dumps({"id": 3, name: "Prove A."})))[0].statement == "Prove A."


def test_named_columns_and_dotted_paths(tmp_path: Path) -> None:
    row = {"problem": "no", "task": {"text": {"en": "Prove A."}}, "A.B": "B", "a.b": "b", "a": {"b": "in"}}
    path = jsonl(tmp_path, json.dumps(row | {"solution": "s"}))
    (problem,) = read(path, statement="task.text.en", name="a.b", reference="", extra=["a.B", "task.text"])
    assert (problem.statement, problem.name, problem.reference) == ("Prove A.", "b", None)
    assert problem.extra == {"problem": "no", "solution": "s", "A.B": "B", "a.B": "B", "task.text": {"en": "Prove A."}}


def test_extra_keeps_small_scalars_only(tmp_path: Path) -> None:
    row = {"problem": "Prove A.", "level": "easy", "year": 2025, "hard": True, "rate": 0.5, "none": None, "empty": ""}
    left_out = {"long": "x" * 501, "huge": 2**64, "list": [1], "object": {"a": 1}, "nan": float("nan")}
    (problem,) = read(jsonl(tmp_path, json.dumps(row | left_out)))
    assert problem.extra == {"level": "easy", "year": 2025, "hard": True, "rate": 0.5}


def test_an_optional_column_may_be_absent_from_single_rows(tmp_path: Path) -> None:
    path = jsonl(tmp_path, '{"problem": "Prove A."}', '{"problem": "Prove B.", "hint": "h", "solution": NaN}')
    assert [p.answer for p in read(path, answer="hint")] == [None, "h"]


def test_presets_are_valid_and_fit_their_files() -> None:
    names = ("imo_proofbench", "imo_answerbench", "proof_problems", "deepseek_math_v2")
    files = dict(zip(names, COUNTS, strict=False))
    presets = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in PRESETS.glob("*.yaml")}
    columns = {name: read_config(Columns, preset, "columns") for name, preset in presets.items()}
    assert columns.keys() == {"auto", *files}
    assert columns["auto"] == Columns()
    for name, path in files.items():
        source = str(shared(f"data/{path}"))
        named = islice(load_problems(source, columns=columns[name]), 50)
        found = islice(load_problems(source), 50)
        assert [p.statement for p in named] == [p.statement for p in found]


def test_unknown_column_settings_are_refused() -> None:
    for wrong in ({"statment": "problem"}, {"extra": "level"}, {"name": 3}):
        with pytest.raises(LemmataError, match="columns"):
            read_config(Columns, wrong, "columns")


# Hostile rows


def test_hostile_values(tmp_path: Path) -> None:
    lone = '{"problem": "Prove \\ud800A\\u0000.", "\\udc00": "\\udfff", "n": %s, "id": 10000000000000000000000}'
    (problem,) = read(file(tmp_path, "\udcff.jsonl", lone % ("9" * 4000)))
    assert problem.statement == "Prove \ufffdA\x00."
    assert (problem.name, problem.source) == ("10000000000000000000000", "\ufffd.jsonl")
    assert problem.extra == {"\ufffd": "\ufffd"}
    json.dumps(to_json(problem), ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"problem": "Prove B."', "broken JSON"),
        pytest.param('{"problem": "Prove B.", "n": ' + "9" * 5000 + "}", "cannot be read", id="digits"),
        pytest.param('{"problem": ' + "[" * 100_000 + "]" * 100_000 + "}", "cannot be read", id="nesting"),
        ('["Prove B."]', "a list where an object"),
        ("null", "null where an object"),
        ('{"problem": ["Prove B."]}', "column 'problem' holds a list, the statement must be text"),
        ('{"problem": 7}', "holds a number"),
        ('{"problem": " \\n\\u0000"}', "the statement (column 'problem') is empty"),
        *((f'{{"problem": {nothing}}}', "is empty") for nothing in ("null", "NaN", '""')),
        ('{"id": 2, "task": {"text": "Prove B."}}', "no column holds the statement; columns here: id, task.text."),
        ("{}", "columns here: none"),
        ('{"problem": "Prove B.", "answer": {"a": 1}}', 'columns.answer=""'),
        (b'{"problem": "Prove \xff"}', "not UTF-8 (byte 0xff)"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str | bytes, says: str) -> None:
    message = error_of(jsonl(tmp_path, '{"problem": "Prove A."}', "", line))
    assert f"{tmp_path / 'set.jsonl'}:3: " in message
    assert says in message


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("set.json", '[{"problem": "Prove A."},\n {]', "set.json: broken JSON (Expecting property name"),
        ("set.json", '[{"problem": "Prove A."},\n {]', "line 2, column 3"),
        ("set.json", '[{"problem": "Prove A."}, "B"]', "set.json, row 2: a string where an object"),
        ("set.json", '[{"problem": "Prove A."}, {"problem": ""}]', "set.json, row 2: the statement"),
        ("set.json", '{"a": [], "b": []}', "lists in it: a, b"),
        ("set.json", '{"problem": "Prove A."}', "lists in it: none"),
        ("set.json", "7", "a number where a list"),
        ("set.json", b'[\n{"problem": "\xff"}]', "set.json:2: not UTF-8"),
        ("set.csv", b"problem\nProve A.\nProve \xe9\n", "set.csv:3: not UTF-8"),
        ("set.csv", 'problem,id\nProve A.,1\n"Prove\nB.",2,3\n', "set.csv:3: 3 cells in a table of 2 columns"),
        ("set.csv", 'problem,id\nProve A.,1\n"Prove B.,2\nProve C.,3', "set.csv:3: a quote that opens"),
        ("set.csv", 'problem\nProve A.\n"', "set.csv:3: a quote that opens"),
        ("set.csv", "problem,id\nProve A.\r,1\n", "set.csv:2: broken CSV"),
        ("set.csv", "problem,id\nProve A.,1\n ,2\n", "set.csv:3: the statement (column 'problem') is empty"),
        ("set.csv", "id|problem\n1|Prove A.\n", "columns here: id|problem"),
        ("set.csv", "problem,problem\na,b\n", "set.csv:1: column 'problem' stands twice"),
        pytest.param("set.csv", "problem\n" + "x" * 2**25, "set.csv:2: broken CSV (field larger", id="long"),
        ("set.parquet", "no parquet", "set.parquet: cannot be read (ArrowInvalid"),
        ("set.txt", "Prove A.", "unknown kind of file '.txt'; known: .json, .jsonl"),
        ("set", "Prove A.", "unknown kind of file ''"),
        *((f"set.{kind}", "", "holds no rows") for kind in ("json", "jsonl", "csv")),
        *(("set.json", "[]", "holds no rows"), ("set.csv", "problem,id\n", "holds no rows")),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    assert says in error_of(file(tmp_path, name, content))


def test_bad_parquet_rows(tmp_path: Path) -> None:
    path = str(tmp_path / "set.parquet")
    pq.write_table(pa.table({"problem": pa.array([], pa.string())}), path)
    assert "holds no rows" in error_of(path)
    pq.write_table(pa.table({"problem": ["Prove A.", None]}), path)
    assert "set.parquet, row 2: the statement (column 'problem') is empty" in error_of(path)
    pq.write_table(pa.table({"problem": [b"Prove A."]}), path)
    assert "holds a value of type bytes" in error_of(path)
    not_utf8 = pa.array([b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"problem": not_utf8}), path)
    assert "set.parquet: cannot be read (UnicodeDecodeError" in error_of(path)


def test_a_named_column_that_is_not_there(tmp_path: Path) -> None:
    path = jsonl(tmp_path, '{"problem": "Prove A.", "level": 1, "model": {"a": 1}}')
    for columns in ({"statement": "task"}, {"answer": "task"}, {"extra": ("task",)}):
        message = error_of(path, columns)
        assert "no column 'task' in its first 1 rows; columns there: problem, level, model.a." in message
    path = jsonl(tmp_path, '{"problem": "p", "n": [NaN]}')
    assert "take it out of columns.extra" in error_of(path, {"extra": ("n",)})


# Sources


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    for source in (str(tmp_path / "set.jsonl"), "sets/set.csv", "", "Prove that " + "x" * 5000, "~nobody-here/set.csv"):
        assert "no file or folder" in error_of(source)


def test_a_file_has_no_split_and_no_revision(tmp_path: Path) -> None:
    path = jsonl(tmp_path, '{"problem": "p"}')
    assert "has no splits" in error_of(path, split="train")
    assert "has no revisions" in error_of(path, revision="main")


def test_a_folder(tmp_path: Path) -> None:
    assert "holds no file of a known kind: .json" in error_of(str(tmp_path))
    for name, letter in (("test", "T"), ("train-00000", "A"), ("train-00001", "B"), (".x", "C")):
        write_jsonl(tmp_path / f"{name}.jsonl", [{"problem": f"Prove {letter}."}])
    file(tmp_path, "README.md", "not a table")
    assert next((p.statement, p.source) for p in read(str(tmp_path))) == ("Prove T.", "test.jsonl")
    assert [p.statement for p in load_problems(str(tmp_path), split="train")] == ["Prove A.", "Prove B."]
    message = error_of(str(tmp_path), split="valid")
    assert "no split 'valid'; choose another, its files are: test.jsonl, train-00000.jsonl" in message


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "set.csv" / "inner.csv").mkdir(parents=True)
    assert "inner.csv: cannot be read (IsADirectoryError" in error_of(str(tmp_path / "set.csv"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A data set ``owner/set`` of two splits: the real library on a local folder. Returns the calls made."""
    for split in ("train", "test"):
        write_jsonl(tmp_path / f"{split}.jsonl", [{"problem": f"Prove {split} {i}.", "id": i} for i in range(3)])
    real, calls = datasets.load_dataset, []

    def load_dataset(name: str, configuration: str | None, *, revision: str | None, streaming: bool) -> Any:
        calls.append((name, configuration, revision, streaming))
        if name != "owner/set":
            raise ConnectionError(f"Couldn't reach {name!r} on the Hub")
        files = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "test")}
        return real("json", data_files=files, streaming=streaming)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.chdir(tmp_path)
    return calls


def test_a_data_set_of_the_hub(hub: list[tuple[Any, ...]]) -> None:
    found = load_problems("owner/set", split="test", revision="v1", limit=2)
    assert [(p.statement, p.name, p.source) for p in found] == [
        (f"Prove test {i}.", str(i), "owner/set") for i in (0, 1)
    ]
    assert hub == [("owner/set", None, "v1", True)]
    list(load_problems("owner/set:hard", split="train"))
    assert hub[-1] == ("owner/set", "hard", None, True)


def test_errors_of_the_hub(hub: list[tuple[Any, ...]], tmp_path: Path) -> None:
    assert "has several splits: choose one with split=<name>: train, test" in error_of("owner/set")
    assert "has no split 'dev': choose one with split=<name>: train, test" in error_of("owner/set", split="dev")
    message = error_of("nobody/nothing")
    assert "no file 'nobody/nothing'" in message
    assert "cannot be opened (ConnectionError: Couldn't reach" in message
    (tmp_path / "test.jsonl").write_text('{"problem": "Prove A."}\n{broken', encoding="utf-8")
    assert "data set owner/set: cannot be read" in error_of("owner/set", split="test")


# The real files


@pytest.mark.parametrize(("path", "count"), COUNTS.items())
def test_the_shared_files(path: str, count: int) -> None:
    problems = load_problems(str(shared(f"data/{path}")))
    ids = Counter(problem.id for problem in problems)
    assert (len(ids), problems.rows, problems.duplicates) == (count, count, 0)


def test_missing_answers_of_the_shared_inputs() -> None:
    assert sum(p.answer is None for p in load_problems(str(shared("data/deepseek_math_v2/inputs")))) == 13


def test_the_corrupt_rows_of_answerbench_are_read_as_they_stand() -> None:
    problems = {p.name: p for p in load_problems(str(shared("data/imobench/answerbench_v2.csv")))}
    assert problems["imo-bench-geometry-004"].answer == "45752"
    assert problems["imo-bench-algebra-036"].answer == "Algebra"
    assert "prime number $p$" in problems["imo-bench-number_theory-048"].statement
