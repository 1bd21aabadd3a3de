"""Reading a run in the terminal: everything is printed as it is, and nothing in it is obeyed."""

import json
from dataclasses import replace
from pathlib import Path

from core.records import Problem, Proof, Record
from tests.command import CommandLine
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of, selection
from tests.scripted import proof_text

HOSTILE = "[bold]x[/bold] [/] [link=http://x]y[/link] :smile: \\[z]"
PROOF_ID = "aaaa111122223333"


def make(folder: Path, *more: Record, problem: Problem = PROBLEM, proof: Proof = PROOF) -> None:
    named = replace(proof, id=PROOF_ID)
    chain = [analysis("bbbb1", 0.5, PROOF_ID), analysis("bbbb2", None, PROOF_ID), review("cccc1", 1.0, "bbbb1")]
    run_of(folder, [problem, named, *chain, *more])


def test_a_run(lemmata: CommandLine) -> None:
    make(lemmata.folder, selection(PROOF_ID, reason="best of 1 proofs by mean"), label("l", "human", 1.0))
    output = lemmata.ok("show", "run").out
    assert output.startswith("1 problem: 1 finished, 1 accepted\n1 proof, 0 with no proof in it\n")
    assert "2 analyses, 1 with no parseable verdict" in output
    assert "1 review, 0 with no parseable verdict" in output
    assert "1 label by human: 1 x score 1" in output
    assert "40 prompt and 20 completion tokens" in output
    row = next(line for line in output.splitlines() if line.startswith("one"))
    assert row.split()[:3] == ["one", "yes", PROOF_ID]
    assert output.rstrip().endswith("Read it: lemmata show run")


def test_the_faults_of_a_run_are_a_table(lemmata: CommandLine) -> None:
    cut = [replace(analysis(f"c{n}", None, PROOF_ID), fault="cut off at the token limit") for n in range(9)]
    boxes = [replace(analysis(f"d{n}", None, PROOF_ID), fault=f"the last box holds '{n}', no score") for n in range(3)]
    make(lemmata.folder, *cut, *boxes, replace(PROOF, id="p2", faults=("empty proof",)))
    rows = [line.split() for line in lemmata.ok("show", "run").out.splitlines()]
    assert ["analysis", "9", "64", "%", "cut", "off", "at", "the", "token", "limit"] in rows
    assert ["analysis", "3", "21", "%", "the", "last", "box", "holds", "'...',", "no", "score"] in rows
    assert ["proof", "1", "50", "%", "empty", "proof"] in rows


def test_a_run_of_many_problems_shows_the_first(lemmata: CommandLine) -> None:
    groups = [
        [replace(PROBLEM, id=f"p{n:02}", name=f"n{n}"), replace(selection(None), problem_id=f"p{n:02}")]
        for n in range(25)
    ]
    run_of(lemmata.folder, *groups)
    output = lemmata.ok("show", "run").out
    assert "25 problems: 25 finished, 25 accepted" in output
    assert "... and 5 more problems" in output
    assert "n19 " in output
    assert "n20 " not in output


def test_a_run_without_records(lemmata: CommandLine) -> None:
    run_of(lemmata.folder)
    assert lemmata.ok("show", "run").out.startswith("0 problems")


def test_a_problem_is_a_tree(lemmata: CommandLine) -> None:
    refined = replace(PROOF, id="dddd1", round=1, parents=(PROOF_ID, "bbbb1"), self_score=None, faults=("empty proof",))
    make(lemmata.folder, refined, selection(PROOF_ID, reason="why"))
    lines = lemmata.ok("show", "run", "one").out.splitlines()
    depth = {
        line.split()[-1] if "selection" in line else line.lstrip("│├└─ ").split()[1]: indent(line) for line in lines
    }
    text = "\n".join(lines)
    assert lines[0] == "problem p one"
    assert "Prove A." in text
    assert f"proof {PROOF_ID} round 0: self-score 0.5" in text
    assert f"proof dddd1 round 1 refines {PROOF_ID}, bbbb1: no self-score [empty proof]" in text
    assert "analysis bbbb2: no verdict (" in text
    assert f"selection: {PROOF_ID}: why" in text
    assert depth[PROOF_ID] < depth["bbbb1:"] < depth["cccc1:"]
    assert depth["dddd1"] == depth[PROOF_ID]


def indent(line: str) -> int:
    return len(line) - len(line.lstrip("│├└─ "))


def test_a_proof_in_full(lemmata: CommandLine) -> None:
    make(lemmata.folder, proof=replace(PROOF, reasoning="Let me think."))
    for name in (PROOF_ID, "aaaa"):
        output = lemmata.ok("show", "run", name).out
        assert output.startswith(f"proof {PROOF_ID} round 0: self-score 0.5\n  problem_id: p\n")
        assert f"--- reasoning ---\nLet me think.\n\n--- text ---\n{PROOF.text}\n" in output


def test_raw_is_json(lemmata: CommandLine) -> None:
    make(lemmata.folder, proof=replace(PROOF, text=proof_text(HOSTILE)))
    value = json.loads(lemmata.ok("show", "run", PROOF_ID, "--raw").out)
    assert (value["kind"], value["id"], value["text"]) == ("proof", PROOF_ID, proof_text(HOSTILE))


def test_nothing_in_a_record_is_markup(lemmata: CommandLine) -> None:
    """Problem name, statement, faults, proof, reason and policy come from files and models."""
    make(
        lemmata.folder,
        selection(PROOF_ID, reason=f"why {HOSTILE}"),
        problem=replace(PROBLEM, name=HOSTILE, statement=f"Prove {HOSTILE}"),
        proof=replace(PROOF, text=proof_text(HOSTILE), faults=(HOSTILE,), policy=HOSTILE),
    )
    assert lemmata.ok("show", "run").out.count(HOSTILE) == 3
    tree = lemmata.ok("show", "run", HOSTILE).out
    assert tree.splitlines()[0] == f"problem p {HOSTILE}"
    assert tree.count(HOSTILE) == 4
    full = lemmata.ok("show", "run", PROOF_ID).out
    assert f"## Solution\n{HOSTILE}\n" in full
    assert f"  policy: {HOSTILE}" in full
    assert repr(f"no {HOSTILE}") in lemmata.fails("show", "run", f"no {HOSTILE}")


def test_control_characters_do_not_reach_the_terminal(lemmata: CommandLine) -> None:
    evil = "A\x1b[2J\x1b]0;title\x07B\x9b2J\x08\r\x00C\nD\tE"
    make(
        lemmata.folder,
        selection(PROOF_ID, reason=evil),
        problem=replace(PROBLEM, name=evil, statement=evil),
        proof=replace(PROOF, text=evil, faults=(evil,)),
    )
    for arguments in (["run"], ["run", "p"], ["run", PROOF_ID], ["run", PROOF_ID, "--raw"], ["run", evil + "?"]):
        output = lemmata("show", *arguments).everything
        assert not {char for char in output if not char.isprintable()} - {"\n", "\t"}
    assert "C\nD" in lemmata.ok("show", "run", PROOF_ID).out
    assert json.loads(lemmata.ok("show", "run", PROOF_ID, "--raw").out)["text"] == evil


def test_ambiguous_and_unknown_ids(lemmata: CommandLine) -> None:
    make(lemmata.folder)
    output = lemmata.fails("show", "run", "bbbb")
    assert output == "lemmata: 'bbbb' names several records: analysis bbbb1, analysis bbbb2. Give more of the id.\n"
    output = lemmata.fails("show", "run", "zzzz")
    assert output == "lemmata: run holds no record 'zzzz'. `lemmata show run` lists its problems.\n"


def test_a_name_is_no_beginning_of_an_id(lemmata: CommandLine) -> None:
    """Problems of contests are called 1 to 6, and ids begin with digits too."""
    make(lemmata.folder, problem=replace(PROBLEM, name="aaaa"))
    assert lemmata.ok("show", "run", "aaaa").out.startswith("problem p aaaa")


def test_names_that_several_problems_have(lemmata: CommandLine) -> None:
    run_of(lemmata.folder, *([replace(PROBLEM, id=f"p{number}", name="same")] for number in range(3)))
    assert "'same' names several records: problem p0, problem p1, problem p2" in lemmata.fails("show", "run", "same")


def test_what_is_no_run(lemmata: CommandLine) -> None:
    assert "is not a run folder" in lemmata.fails("show", "nowhere")
    assert "the following arguments are required: run" in lemmata.fails("show", code=2)
