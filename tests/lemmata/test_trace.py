"""Output of ``lemmata refine`` at the end of a single problem."""

from collections.abc import Mapping
from typing import Any

from tests.command import CommandLine, Served, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of
from tests.scripted import analysis_text, proof_text, review_text

STATEMENT = "Prove that x^2 + 6x + 11 >= 2 for all real x."
RIGHT = "Complete the square: x^2 + 6x + 11 = (x + 3)^2 + 2.\nHence (x + 3)^2 + 2 >= 2.\nThe claim is true."
WRONG = "Complete the square: x^2 + 6x + 11 = (x + 3)^2 + 3.\nHence (x + 3)^2 + 3 >= 2.\nThe claim is true."


def proving(body: str) -> Any:
    """A server that writes one proof, finds fault with it and confirms the fault."""

    async def behave(request: Mapping[str, Any], server: FakeServer) -> Reply:
        asked = "".join(message["content"] for message in request["messages"])
        text = {"prover": proof_text(body), "verifier": analysis_text(0.5), "meta_verifier": review_text(1)}[
            role_of(asked)
        ]
        return json_reply(completion(request, [text] * request.get("n", 1)))

    return behave


def refined(lemmata: CommandLine, body: str, statement: str = STATEMENT) -> str:
    """Output of the command for one problem."""
    with serving(proving(body)) as served:
        return lemmata.ok("refine", f"problem={statement}", "run=r", "refine.rounds=2", *served.policy()).out


def test_the_trace_of_a_right_proof(lemmata: CommandLine) -> None:
    lines = [line.strip("│├└─ ") for line in refined(lemmata, RIGHT).splitlines()]
    assert lines.count(STATEMENT) == 1
    assert lines.index("round 0") < lines.index("round 1")
    assert sum(line.startswith("proof ") and line.endswith(": self-score 1") for line in lines) == 6
    assert lines.count("analyses: 0.5, 0.5, 0.5, 0.5") == 6
    assert lines.count("reviews of the analyses: 1, 1, 1, 1") == 6
    assert len([line for line in lines if line.startswith("chosen: ")]) == 1
    shown = "\n".join(lines)
    assert RIGHT in shown
    assert "no model saw it): the claim is true, this proof scores 1, no defect." in shown


def test_the_defects_of_a_wrong_proof_are_named_by_line(lemmata: CommandLine) -> None:
    output = refined(lemmata, WRONG)
    assert "the claim is true, this proof scores 0:\n" in output
    assert 'line 1, "x^2 + 6x + 11 = (x + 3)^2 + 3": invalid step: the two sides are not equal' in output


def test_a_refined_proof_comes_after_what_it_was_refined_from(lemmata: CommandLine) -> None:
    async def behave(request: Mapping[str, Any], server: FakeServer) -> Reply:
        asked = "".join(message["content"] for message in request["messages"])
        wrong = WRONG in asked
        text = {
            "prover": proof_text(RIGHT if wrong else WRONG),
            "verifier": analysis_text(0 if wrong else 1),
            "meta_verifier": review_text(1),
        }[role_of(asked)]
        return json_reply(completion(request, [text] * request.get("n", 1)))

    with serving(behave) as served:
        output = lemmata.ok("refine", f"problem={STATEMENT}", "run=r", *served.policy()).out
    lines = [line.strip() for line in output.splitlines()]
    first, second = WRONG.splitlines()[0], RIGHT.splitlines()[0]
    critique = next(place for place, line in enumerate(lines) if line.startswith("analysis ") and "score 0" in line)
    assert lines.index(first) < critique < lines.index(second)


def test_a_statement_that_the_lab_cannot_decide_has_no_exact_verdict(lemmata: CommandLine) -> None:
    output = refined(lemmata, RIGHT, "Prove that there are infinitely many primes.")
    assert "Exact check: none; the lab cannot decide this statement (its words are none of those" in output


def test_texts_are_never_markup(lemmata: CommandLine) -> None:
    output = refined(lemmata, "[bold]Proof[/bold] \x1b[31mred", "[red]A[/red]")
    assert "[red]A[/red]" in output
    assert "    [bold]Proof[/bold] \ufffd[31mred" in output


def test_several_problems_have_no_trace(lemmata: CommandLine, served: Served) -> None:
    (lemmata.folder / "p.jsonl").write_text('{"statement": "Prove A."}\n{"statement": "Prove B."}\n')
    assert "Exact check" not in lemmata.ok("refine", "problems=p.jsonl", "run=r", *served.policy()).out
    assert "Exact check" in lemmata.ok("refine", "problem=Prove A.", "run=s", *served.policy()).out
