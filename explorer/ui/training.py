"""Training page: curves of rewards, losses and masking, and the best and worst trajectories."""

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st

from core.document import counted
from core.errors import LemmataError
from explorer.math_markdown import plain_text
from explorer.plots import line_plot
from explorer.runs import RunInfo
from explorer.training_log import (
    Curve,
    best_and_worst,
    curves,
    group_rewards,
    read_lines,
    rollout_files,
    smoothed,
    stages,
)
from explorer.ui.context import query, run_named, runs
from explorer.ui.runs import progress_words, settings_text
from explorer.ui.widgets import badge, crumbs, facts, folded, link, model_text, note, number, page_title, table

# Plots by title: names of metrics (a final * matches any rest), and the ends of the axis where they are fixed.
PLOTS: dict[str, tuple[tuple[str, ...], float | None, float | None]] = {
    "Reward and its parts": (("reward", "reward/*"), 0.0, 1.0),
    "Groups: reward std, zero-variance share": (("group_reward_std", "zero_variance_groups"), 0.0, None),
    "Loss": (("loss", "cross_entropy"), None, None),
    "KL": (("kl", "kl/*", "mismatch_kl"), None, None),
    "Masked and clipped": (("off_policy_masked", "clip_low", "clip_high", "truncated"), 0.0, None),
    "Entropy": (("entropy",), 0.0, None),
    "Accuracy": (("token_accuracy", "agreement", "validation/*"), 0.0, 1.0),
    "Length": (("length", "length_max"), 0.0, None),
    "Gradient norm": (("grad_norm",), 0.0, None),
}
MAX_SHOWN = 4


def show() -> None:
    """Page of one training."""
    run = _chosen()
    crumbs(link("Runs", ""), escape(run.name))
    page_title(run.name)
    inner = [other for other in runs() if other.is_training and other.name.startswith(f"{run.name}/")]
    if inner:
        table(
            ["step", "state"],
            [[link(step.name, "training", run=step.name), escape(progress_words(step))] for step in inner],
        )
    lines, message = read_lines(run.folder / "metrics.jsonl")
    if inner and not lines:
        return
    if message:
        note(message)
    if not lines:
        return
    found = stages(lines)
    if not found:
        note("This run has no metrics of a training.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stage = st.segmented_control("Stage", found, default=found[-1], required=True, format_func=plain_text)
        window = st.slider("Mean over steps", 1, 50, min(10, max(1, len(lines) // 20)), width=220)
    known = curves(lines, stage or found[-1])
    _facts(known)
    folded("Settings, versions, commit", settings_text(run))
    _plots(known, window)
    _rollouts(run)


def _chosen() -> RunInfo:
    if query("run"):
        return run_named(query("run"))
    usable = [run for run in runs() if run.is_training and not run.error]
    trainings = [run for run in usable if (run.folder / "metrics.jsonl").is_file()]
    if not trainings:
        raise LemmataError("there are no trainings in this folder; `lemmata train` writes one")
    name = st.selectbox("Training", [run.name for run in trainings])
    return run_named(name)


def _facts(known: dict[str, Curve]) -> None:
    names = {
        "loss": "loss",
        "reward": "reward",
        "entropy": "entropy",
        "off_policy_masked": "masked",
        "group_reward_std": "group std",
    }
    steps = max((curve.points[-1][0] for curve in known.values()), default=0)
    last = {title: number(known[name].points[-1][1]) for name, title in names.items() if name in known}
    facts({"step": str(steps), **last})


def _plots(known: dict[str, Curve], window: int) -> None:
    columns = st.columns(2, gap="large")
    shown = 0
    for title, (wanted, low, high) in PLOTS.items():
        chosen = [smoothed(curve, window) for name, curve in known.items() if any(_fits(name, want) for want in wanted)]
        if chosen:
            with columns[shown % 2]:
                st.markdown(f"**{title}**")
                st.image(line_plot(chosen[:7], low=low, high=high), width="stretch")
            shown += 1


def _fits(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _rollouts(run: RunInfo) -> None:
    files = rollout_files(run.folder)
    if not files:
        return
    st.subheader("Rollouts")
    names = [path.stem for path in files]
    name = st.select_slider("Rollout", names, value=names[-1]) if len(names) > 1 else names[0]
    trajectories, message = read_lines(run.folder / "rollouts" / f"{name}.jsonl")
    if message:
        note(message)
    groups = group_rewards(trajectories)
    informative = sum(len(set(rewards)) > 1 for rewards in groups.values())
    st.caption(
        f"{counted(len(trajectories), 'trajectory', 'trajectories')} of {counted(len(groups), 'problem')}; "
        f"{counted(informative, 'group')} with reward variance, which carry the training signal."
    )
    best, worst = best_and_worst(trajectories, MAX_SHOWN)
    for column, title, group in zip(st.columns(2, gap="large"), ("Best", "Worst"), (best, worst), strict=True):
        with column:
            st.markdown(f"**{title}**")
            for position, one in enumerate(group):
                _trajectory(one, f"{title}-{position}")


def _trajectory(one: Mapping[str, Any], key: str) -> None:
    parts = one.get("parts") or {}
    words = " ".join(
        f"{escape(str(name))} {number(value)}" for name, value in parts.items() if isinstance(value, int | float)
    )
    with st.container(border=True, key=f"trajectory-{key}"):
        st.html(
            f'{badge(one["reward"])} <span class="lm-soft lm-small">problem '
            f"{escape(str(one.get('problem')))} · {words}</span>"
        )
        for position, answer in enumerate(one.get("answers") or ()):
            model_text(str(answer), f"trajectory-{key}-{position}")
