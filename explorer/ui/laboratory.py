"""The laboratory: a statement of the lab, a model that proves it while one looks on, the checker's exact verdict."""

from html import escape

import streamlit as st

from core.records import Analysis, Proof
from explorer.index import LogIndex
from explorer.laboratory import SHIPPED, Live, at_the_end, exact, steps, weights_in
from explorer.runs import RunIndex
from explorer.ui.parts import badge, model_text, note
from explorer.ui.site import query
from lab.defects import Verdict
from lab.generator import LEVELS, families, generate

HEIGHT = 120


def show() -> None:
    """Page: the laboratory."""
    st.title("Laboratory")
    st.caption("The checker decides every step by exact algebra. No model sees its verdict.")
    statement = _statement()
    own, live = st.tabs(["Check a proof", "Let a model prove it"])
    with own:
        text = st.text_area(
            "A proof in the lab's words", height=HEIGHT + 60, value=query("proof"), placeholder=_example()
        )
        if text.strip():
            checked(statement, text)
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


def checked(statement: str, body: str) -> None:
    """A proof with the checker's verdict of each step."""
    verdict = exact(statement, body)
    if isinstance(verdict, str):
        note(f"The lab cannot decide this statement: {verdict}")
        return
    st.html(f"{badge(verdict.score)} &nbsp; {_words(verdict)}")
    st.html(f'<pre class="lm-steps">{_colored(body, verdict)}</pre>')
    for defect in at_the_end(body, verdict):
        st.html(f'<span class="lm-small">at the end: <b>{escape(defect.kind)}</b>: {escape(defect.message)}</span>')


def _words(verdict: Verdict) -> str:
    return "no defect" if not verdict.defects else f"{len(verdict.defects)} defect{'s' * (len(verdict.defects) > 1)}"


def _colored(body: str, verdict: Verdict) -> str:
    """The steps of a proof as HTML: green where they hold, red or ochre where they do not, with the reason."""
    parts = []
    for step in steps(body, verdict):
        if not step.counted:
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
    if not weights_in(SHIPPED):
        note("The weights of the shipped model are not in this installation; give the folder of a model of yours.")
    model = st.text_input("Model: a folder", value=query("model", SHIPPED if weights_in(SHIPPED) else ""))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        proofs = st.number_input("Proofs", 1, 16, 4, width=120)
        seed = st.number_input("Seed of the samples", 0, 10**6, 0, width=170)
        start = st.button("Prove", type="primary", disabled=not model or not weights_in(model))
    if start:
        _stop()
        st.session_state.live = Live(model, statement, int(proofs), int(seed))
        st.session_state.live_statement = statement
    if "live" in st.session_state:
        _watch()


def _stop() -> None:
    if "live" in st.session_state:
        st.session_state.pop("live").stop()


@st.fragment(run_every=1.0)
def _watch() -> None:
    live: Live | None = st.session_state.get("live")
    if live is None:
        return
    if live.running:
        st.html('<span class="lm-live">● at work</span> loading the model, proving, judging')
        if st.button("Stop"):
            _stop()
            return
    elif live.trouble:
        note(live.trouble, bad=True)
    index = RunIndex(live.folder)
    index.refresh()
    for log in index.logs.values():
        _attempts(log, st.session_state.live_statement)


def _attempts(log: LogIndex, statement: str) -> None:
    for row in log.of_kind("proof"):
        proof = log.read(row)
        assert isinstance(proof, Proof)
        verdict = exact(statement, proof.body or "")
        judged = [child for child in log.of_kind("analysis") if child.about == row.id]
        with st.container(border=True, key=f"live-{row.id}"):
            exact_badge = badge(verdict.score, f"exact {verdict.score:g}") if isinstance(verdict, Verdict) else ""
            said = "".join(f" {badge(child.score)}" for child in judged)
            st.html(
                f"{exact_badge} &nbsp; round {row.round} &nbsp; itself {badge(row.score)} &nbsp; judges {said or '–'}"
            )
            if isinstance(verdict, Verdict) and proof.body:
                checked(statement, proof.body)
            else:
                model_text(proof.body or proof.text, f"live-{row.id}")
            for child in judged[:2]:
                record = log.read(child)
                assert isinstance(record, Analysis)
                with st.expander(f"analysis, score {'none' if child.score is None else f'{child.score:g}'}"):
                    model_text(record.text, f"live-{child.id}")
