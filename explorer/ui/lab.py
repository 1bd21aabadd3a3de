"""Lab page: a lab statement, the checker's verdict on a proof, and a model that proves the statement live."""

from html import escape

import streamlit as st

from core.document import counted
from core.records import Analysis, Proof
from explorer.index import LogIndex
from explorer.lab_check import missing_at_end, steps
from explorer.lab_run import LiveRun, has_weights
from explorer.runs import RunIndex
from explorer.ui.context import query
from explorer.ui.widgets import badge, model_text, note
from lab.checker import check_statement
from lab.defects import CheckResult
from lab.generator import LEVELS, families, generate
from lab.statements import Unsupported
from policy.local_config import SHIPPED

HEIGHT = 120


def show() -> None:
    """Page of the lab."""
    st.title("Lab")
    st.caption("The checker decides every step by exact algebra. Models do not see its verdict.")
    statement = _statement()
    check, live = st.tabs(["Check a proof", "Run a model"])
    with check:
        text = st.text_area(
            "A proof in the lab's language", height=HEIGHT + 60, value=query("proof"), placeholder=_example()
        )
        if text.strip():
            show_checked(statement, text)
    with live:
        _model(statement)


def _statement() -> str:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        family = st.selectbox("Family", families(), index=families().index("inequalities"), width=200)
        level = st.selectbox("Level", LEVELS, width=110)
        seed = st.number_input("Seed", 0, 10**6, 7, width=130)
    drawn = generate(family, level, seed, "test").statement
    return st.text_area(
        "Statement", value=query("statement", drawn), height=HEIGHT, key=f"statement-{family}-{level}-{seed}"
    )


@st.cache_data
def _example() -> str:
    return generate("inequalities", 1, 7, "test").derivation


def show_checked(statement: str, body: str) -> None:
    """Shows a proof with the checker's verdict on each step."""
    verdict = check_statement(statement, body)
    if isinstance(verdict, Unsupported):
        note(f"The lab cannot decide this statement: {verdict.reason}")
        return
    st.html(f"{badge(verdict.score)} &nbsp; {_words(verdict)}")
    st.html(f'<pre class="lm-steps">{_colored(body, verdict)}</pre>')
    for defect in missing_at_end(body, verdict):
        st.html(f'<span class="lm-small">at the end: <b>{escape(defect.kind)}</b>: {escape(defect.message)}</span>')


def _words(verdict: CheckResult) -> str:
    return counted(len(verdict.defects), "defect") if verdict.defects else "no defects"


def _colored(body: str, verdict: CheckResult) -> str:
    """Steps of a proof as HTML: green if valid, otherwise red (ochre for minor defects) with the reason."""
    parts = []
    for step in steps(body, verdict):
        if not step.checked:
            parts.append(escape(step.text))
        elif not step.defects:
            parts.append(f'<span class="ok">{escape(step.text)}</span>')
        else:
            kind = "minor" if all(defect.minor for defect in step.defects) else "fault"
            reason = escape("; ".join(f"{defect.kind}: {defect.message}" for defect in step.defects))
            text = f'<span class="{kind}" title="{reason}">{escape(step.text)}</span>'
            parts.append(f'{text} <i class="lm-soft lm-small">{reason}</i>')
    return "".join(parts)


def _model(statement: str) -> None:
    if not has_weights(SHIPPED):
        note("The weights of the shipped model are not installed; enter the folder of another model.")
    model = st.text_input("Model folder", value=query("model", SHIPPED if has_weights(SHIPPED) else ""))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        proofs = st.number_input("Proofs", 1, 16, 4, width=120)
        seed = st.number_input("Sampling seed", 0, 10**6, 0, width=170)
        start = st.button("Run", type="primary", disabled=not model or not has_weights(model))
    if start:
        _stop()
        st.session_state.live = LiveRun(model, statement, int(proofs), int(seed))
        st.session_state.live_statement = statement
    if "live" in st.session_state:
        _show_live()


def _stop() -> None:
    if "live" in st.session_state:
        st.session_state.pop("live").stop()


@st.fragment(run_every=1.0)
def _show_live() -> None:
    live: LiveRun | None = st.session_state.get("live")
    if live is None:
        return
    if live.is_running:
        st.html('<span class="lm-live">● running</span> loading the model, proving, verifying')
        if st.button("Stop"):
            _stop()
            return
    elif live.error:
        note(live.error, bad=True)
    index = RunIndex(live.folder)
    index.refresh()
    for log in index.logs.values():
        _attempts(log, st.session_state.live_statement)


def _attempts(log: LogIndex, statement: str) -> None:
    for row in log.of_kind("proof"):
        proof = log.read(row)
        assert isinstance(proof, Proof)
        verdict = check_statement(statement, proof.body or "")
        judged = [child for child in log.of_kind("analysis") if child.about == row.id]
        with st.container(border=True, key=f"live-{row.id}"):
            exact_badge = badge(verdict.score, f"exact {verdict.score:g}") if isinstance(verdict, CheckResult) else ""
            verdicts = "".join(f" {badge(child.score)}" for child in judged) or "–"
            st.html(
                f"{exact_badge} &nbsp; round {row.round} &nbsp; self-score {badge(row.score)}"
                f" &nbsp; verdicts {verdicts}"
            )
            if isinstance(verdict, CheckResult) and proof.body:
                show_checked(statement, proof.body)
            else:
                model_text(proof.body or proof.text, f"live-{row.id}")
            for child in judged[:2]:
                record = log.read(child)
                assert isinstance(record, Analysis)
                with st.expander(f"analysis, score {'none' if child.score is None else f'{child.score:g}'}"):
                    model_text(record.text, f"live-{child.id}")
