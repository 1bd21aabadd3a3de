"""Recipe page: the steps of a co-training run with state, duration and measurement, and its report."""

from html import escape

import streamlit as st

from explorer.recipe_steps import Recipe, RecipeStep, read_recipe
from explorer.run_progress import end_words
from explorer.runs import RunInfo, is_running
from explorer.ui.report import show_report
from explorer.ui.runs import LIVE_SECONDS, settings_text, state_sign
from explorer.ui.tables import Column, sorted_table
from explorer.ui.widgets import facts, folded, link, note

MINUTE, HOUR = 60, 3600


def show_recipe(run: RunInfo) -> None:
    """Shows a co-training run; drawn again by itself while it runs."""
    st.fragment(_live, run_every=LIVE_SECONDS if is_running(run.folder) else None)(run)
    folded("Settings, versions, commit", settings_text(run))
    show_report(run.folder / "report")


def _live(run: RunInfo) -> None:
    running = is_running(run.folder)
    recipe = read_recipe(run.folder, running=running)
    if recipe.error:
        note(f"The plan of this run cannot be read, so only the steps that have begun are shown: {recipe.error}")
    done = sum(step.state == "done" for step in recipe.steps)
    total = sum(step.seconds or 0.0 for step in recipe.steps)
    facts({"steps done": f"{done} of {len(recipe.steps)}" if recipe.planned else str(done), "time": duration(total)})
    _current(run, recipe, running=running)
    columns: list[Column[RecipeStep]] = [
        Column("step", lambda step: str(step.number), lambda step: step.number, numeric=True),
        Column("name", lambda step: _name(run, step), lambda step: step.name),
        Column("kind", lambda step: escape(step.kind), lambda step: step.kind or None),
        Column("state", lambda step: state_sign(step.state), lambda step: step.state or None),
        Column("time", lambda step: duration(step.seconds) if step.seconds is not None else "",
               lambda step: step.seconds, numeric=True),
        Column("measured, or progress", lambda step: f'<span class="lm-small">{escape(step.words)}</span>'),
    ]  # fmt: skip
    sorted_table(columns, recipe.steps, per_page=200)


def _current(run: RunInfo, recipe: Recipe, *, running: bool) -> None:
    if running:
        st.html(f'<span class="lm-live">● running</span> {escape(recipe.words)}')
    elif recipe.current:
        note(
            f"Unfinished at {recipe.words}. {end_words(run.folder)} The same command repeats the step, or resumes its "
            "training."
        )


def _name(run: RunInfo, step: RecipeStep) -> str:
    if step.has_metrics:
        return link(step.name, "training", run=f"{run.name}/steps/{step.name}")
    return escape(step.name)


def duration(seconds: float) -> str:
    """Duration in words, such as ``2 h 5 min``."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds // HOUR:.0f} h {seconds % HOUR / MINUTE:.0f} min"
