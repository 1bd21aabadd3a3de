"""CPU seconds per page of the explorer, without a browser.

    python -m benchmarks.explorer_run runs/large
    python -m benchmarks.explorer_pages runs/large

Each page is drawn three times: with nothing indexed, where it shows what it can index within its time limit; with the
whole run indexed; and once more. CPU seconds are those of this process.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from core.log import read_log
from core.records import Proof, Review
from explorer.config import ExplorerConfig, to_argument
from explorer.ui.context import index_of, runs

SCRIPT = Path(__file__).parent.parent / "app.py"
MAX_SECONDS = 120


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run.resolve()
    sys.argv = [str(SCRIPT), to_argument(ExplorerConfig(runs=str(run.parent), author="Ada"))]
    draw({})  # imports
    pages = queries(run)
    cold = {}
    for name, query in pages.items():
        st.cache_resource.clear()
        cold[name] = draw(query)
    while index_of(next(found for found in runs() if found.folder == run)).refresh() < 1:
        pass
    print("page         cold   indexed  again   (CPU seconds)")
    for name, query in pages.items():
        print(f"{name or 'runs':12} {cold[name]:.2f}   {draw(query):.2f}     {draw(query):.2f}")


def draw(query: Mapping[str, str]) -> float:
    """CPU seconds of drawing one page. Raises RuntimeError where the page fails."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=MAX_SECONDS)
    for key, value in query.items():
        app.query_params[key] = value
    start = time.process_time()
    app.run()
    spent = time.process_time() - start
    if app.exception:
        raise RuntimeError(f"{query}: {app.exception[0].message}")
    return spent


def queries(run: Path) -> dict[str, dict[str, str]]:
    """Query parameters of every page for a run: those of changes and lineage for one with refined proofs."""
    records = list(read_log(min((run / "problems").glob("*.jsonl"))))
    proofs = [record for record in records if isinstance(record, Proof)]
    refined = [proof for proof in proofs if proof.parents]
    proof = [*refined, *proofs][0]
    reviews = [record for record in records if isinstance(record, Review)]
    base = {"run": run.name}
    one = {**base, "problem": proof.problem_id, "proof": proof.id}
    named = {
        "": {}, "run": base, "problem": one, "proof": one, "lineage": one, **({"diff": one} if refined else {}),
        "search": {**base, "words": "therefore"}, "outcomes": base, "matrix": {"runs": run.name},
        "compare": {"left": run.name, "right": run.name}, "label": base, "agreement": base, "lab": {},
        "record": {**base, "id": [*reviews, proof][0].id},
    }  # fmt: skip
    return {name: {**query, "page": name} for name, query in named.items()}


if __name__ == "__main__":
    main()
