"""Training page: curves of one or several trainings, and the best and worst trajectories with their problems."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from core.document import counted
from core.errors import LemmataError
from explorer.run_progress import end_words, process_folder, training_state, training_words
from explorer.runs import RunInfo, is_running
from explorer.training_log import (
    PLOTS,
    VALIDATION,
    Curve,
    best_and_worst,
    curves,
    group_rewards,
    other_metrics,
    prompts_of,
    read_lines,
    rollout_files,
    smoothed,
    stages,
)
from explorer.ui import address
from explorer.ui.context import query, run_named, runs
from explorer.ui.curves import CurveLine, show_curves
from explorer.ui.recipe import show_recipe
from explorer.ui.runs import LIVE_SECONDS, settings_text
from explorer.ui.widgets import badge, crumbs, facts, folded, link, links, model_text, note, number, page_title, raw

MAX_SHOWN = 4
MAX_PART = 24  # characters of the end of a run's name in a legend


def show() -> None:
    """Page of one training."""
    run = _chosen()
    recipe = run.folder.parent.parent.name if run.command == "step" else ""
    above = next((other for other in runs() if recipe and other.folder == run.folder.parent.parent), None)
    crumbs(link("Runs", ""), *([link(above.name, "training", run=above.name)] if above else []), escape(run.name))
    page_title(run.name)
    if run.command == "cotrain":
        show_recipe(run)
        return
    running = training_state(run, running=is_running(run.folder)) == "running"
    st.fragment(_live, run_every=LIVE_SECONDS if running else None)(run)
    _rollouts(run)


def _chosen() -> RunInfo:
    if query("run"):
        return run_named(query("run"))
    trainings = _trainings()
    if not trainings:
        raise LemmataError("there are no trainings in this folder; `lemmata train` writes one")
    name = st.selectbox("Training", [run.name for run in trainings])
    return run_named(name)


def _trainings() -> list[RunInfo]:
    found = [run for run in runs() if run.is_training and not run.error]
    return [run for run in found if (run.folder / "metrics.jsonl").is_file()]


def _live(run: RunInfo) -> None:
    """Shows state and curves; drawn again by itself while the training runs."""
    _state(run)
    lines, message = read_lines(run.folder / "metrics.jsonl")
    if message:
        note(message)
    found = stages(lines)
    if not found:
        note("This run has no metrics of a training yet.")
        return
    names = [other.name for other in _trainings() if other.name != run.name]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stage = address.choice("Stage", "stage", {name: name for name in found}, found[-1])
        window = address.whole("Mean over steps", "window", 1, 50, min(10, max(1, len(lines) // 20)), width=200)
        log = address.toggle("Log axis", "log", default=False)
        beside = address.several("Lay over", "beside", names, [], width=320, placeholder="other trainings")
    known = {run.name: curves(lines, stage)}
    _facts(known[run.name])
    for name in beside:
        known[name] = curves(read_lines(run_named(name).folder / "metrics.jsonl")[0], stage)
        if not known[name]:
            note(f"{name} has no stage {stage}.")
    folded("Settings, versions, commit", settings_text(run))
    _plots(known, window, log=log)


def _state(run: RunInfo) -> None:
    state = training_state(run, running=is_running(run.folder))
    words = escape(training_words(run, state))
    if state == "running":
        st.html(f'<span class="lm-live">● running</span> {words}')
    elif state in ("stopped", "died"):
        note(
            f"Unfinished, {training_words(run, state)}. {end_words(process_folder(run))} The same command resumes "
            "from its latest checkpoint."
        )
    else:
        st.html(f'<span class="lm-soft">done</span> {words}')


def _facts(known: Mapping[str, Curve]) -> None:
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


def _plots(known: Mapping[str, Mapping[str, Curve]], window: int, *, log: bool) -> None:
    names = list(dict.fromkeys(name for found in known.values() for name in found))
    columns = st.columns(2, gap="large")
    shown = [(plot, [name for name in names if plot.fits(name)]) for plot in PLOTS]
    for place, (plot, chosen) in enumerate((plot, chosen) for plot, chosen in shown if chosen):
        with columns[place % 2]:
            show_curves(plot.title, _lines(known, chosen, window), low=plot.low, high=plot.high, log=log)
    others = other_metrics(names)
    for place, name in enumerate(address.several("Other metrics", "metrics", others, [])):
        with columns[place % 2]:
            show_curves(name, _lines(known, [name], window), log=log)


def _lines(known: Mapping[str, Mapping[str, Curve]], names: Sequence[str], window: int) -> list[CurveLine]:
    """Lines of some metrics: one run in colors by metric, several in colors by run with the validation dashed."""
    lines = []
    for run, found in known.items():
        for position, name in enumerate(names):
            if name not in found or _repeats(found, names[:position], name):
                continue
            curve = found[name] if name.startswith(VALIDATION) else smoothed(found[name], window)
            part = _short(name)
            place = f"…{run[-MAX_PART:]}" if len(run) > MAX_PART else run
            words = part if len(known) == 1 else place if len(names) == 1 else f"{place} {part}"
            lines.append(CurveLine(words, curve, run if len(known) > 1 else name.removeprefix(VALIDATION),
                              dashed=name.startswith(VALIDATION) or (len(known) > 1 and name != names[0])))  # fmt: skip
    return lines


def _repeats(found: Mapping[str, Curve], before: Sequence[str], name: str) -> bool:
    """True for a metric with the values of an earlier one, such as the cross-entropy that is the loss."""
    same = (other for other in before if other in found and found[other].points == found[name].points)
    return any(other.startswith(VALIDATION) == name.startswith(VALIDATION) for other in same)


def _short(name: str) -> str:
    """Name of a metric in a legend."""
    short = name.removeprefix(VALIDATION).removeprefix("reward/")
    return f"{short} (validation)" if name.startswith(VALIDATION) else short


def _rollouts(run: RunInfo) -> None:
    files = rollout_files(run.folder)
    if not files:
        return
    st.subheader("Rollouts", anchor=False)
    names = [path.stem for path in files]
    name = address.select("Rollout", "rollout", names[::-1], names[-1], width=220)
    trajectories, message = read_lines(run.folder / "rollouts" / f"{name}.jsonl")
    if message:
        note(message)
    at = names.index(name)
    links(
        link("← earlier", "training", run=run.name, rollout=names[at - 1]) if at else "",
        link("later →", "training", run=run.name, rollout=names[at + 1]) if at + 1 < len(names) else "",
    )
    groups = group_rewards(trajectories)
    informative = sum(len(set(rewards)) > 1 for rewards in groups.values())
    st.caption(
        f"{counted(len(trajectories), 'trajectory', 'trajectories')} of {counted(len(groups), 'problem')}; "
        f"{counted(informative, 'group')} with reward variance, which carry the training signal."
    )
    prompts = prompts_of(trajectories)
    best, worst = best_and_worst(trajectories, MAX_SHOWN)
    for column, title, group in zip(st.columns(2, gap="large"), ("Best", "Worst"), (best, worst), strict=True):
        with column:
            st.markdown(f"**{title}**")
            for position, one in enumerate(group):
                _trajectory(one, f"{title}-{position}", prompts, groups)


def _trajectory(
    one: Mapping[str, Any], key: str, prompts: Mapping[int, str], groups: Mapping[int, Sequence[float]]
) -> None:
    parts = one.get("parts") or {}
    words = " ".join(
        f"{escape(str(name))} {number(value)}" for name, value in parts.items() if isinstance(value, int | float)
    )
    problem = int(one.get("problem", 0))
    rewards = ", ".join(number(reward) for reward in sorted(groups.get(problem, ()), reverse=True))
    with st.container(border=True, key=f"trajectory-{key}"):
        st.html(
            f'{badge(one["reward"])} <span class="lm-soft lm-small">problem {problem} · {words} · '
            f"rewards of its group: {escape(rewards)}</span>"
        )
        if problem in prompts:
            with st.expander("Problem", key=f"prompt-{key}", on_change="rerun") as opened:
                if opened.open:
                    raw(prompts[problem])
        for position, answer in enumerate(one.get("answers") or ()):
            model_text(str(answer), f"trajectory-{key}-{position}")
