"""What can be done with runs: pause, go on, rename, duplicate, delete; compare them; take one away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.folder import Folder
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.train.export import folder_name
from lmviz.train.recipe import toml_of
from lmviz.train.runs import differences
from lmviz.train.store.run_table import TrainingRun
from lmviz.train.trackers import as_csv, as_tensorboard, has_tensorboard
from lmviz.ui import shell, state, widgets
from lmviz.ui.offline.training import training_page
from lmviz.ui.quantisation.view import QuantisationView
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, code, plain, visible
from lmviz.ui.training import owner
from lmviz.ui.training.view import TrainingView

_MOST_BESIDE = 6


def buttons(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """Pause or go on, one step, stop; and the rest behind three dots. For somebody else's run, first whether it is
    meant."""
    t, runs = view.t, services.models.runs
    with st.container(horizontal=True, gap="small", width="content"):
        may = owner.may_change(run, t)
        if run.is_active:
            waits = run.wanted is not None or not may
            _button(t, "pause", "pause", lambda: runs.pause(run.id), disabled=waits)
            _button(t, "stop", "stop", lambda: runs.stop(run.id), disabled=waits)
            if run.wanted is not None and may:  # its process has not done so yet: perhaps it hangs
                _button(t, "end", "dangerous", lambda: runs.end(run.id))
        elif run.step < run.steps:
            _button(t, "resume", "play_arrow", lambda: runs.resume(run.id), primary=True, disabled=not may)
            _button(t, "single", "skip_next", lambda: runs.step(run.id), disabled=not may)
        with st.popover(t("train.more"), icon=":material/more_horiz:", key="run_more"):
            _more(services, view, run, may)


def _button(
    t: Translator, name: str, icon: str, act: Callable[[], object], primary: bool = False, disabled: bool = False
) -> None:
    st.button(
        t(f"train.do.{name}"),
        key=f"do {name}",
        icon=f":material/{icon}:",
        type="primary" if primary else "secondary",
        disabled=disabled,
        help=t(f"train.do.{name}_help") if t.has(f"train.do.{name}_help") else None,
        on_click=state.unbroken(lambda: attempt(act)),
    )


def attempt(act: Callable[[], object]) -> None:
    """Do something with a run; if it can't be done, say so at the next drawing."""
    try:
        act()
    except UserError as error:
        st.toast(state.view(TrainingView).t.error(error), icon=":material/error:")


def _more(services: Services, view: TrainingView, run: TrainingRun, may: bool) -> None:
    t, runs = view.t, services.models.runs
    st.session_state["run_name"] = run.name
    st.text_input(
        t("train.name"),
        key="run_name",
        max_chars=80,
        disabled=not may,
        on_change=lambda: attempt(lambda: runs.rename(run.id, st.session_state["run_name"])),
    )
    st.button(
        t("train.do.duplicate"),
        key="do duplicate",
        icon=":material/content_copy:",
        help=t("train.do.duplicate_help"),
        on_click=lambda: state.go(run="", data=run.id, changes=(), start=None, window=0),
    )
    sure = st.checkbox(t("train.do.sure"), key=f"sure {run.id}", disabled=not may)
    st.button(
        t("train.do.delete"),
        key="do delete",
        icon=":material/delete:",
        disabled=not (sure and may),
        on_click=lambda: _delete(services, run.id),
    )


def _delete(services: Services, run: str) -> None:
    attempt(lambda: services.models.runs.delete(run))
    state.go(run="")


def _columns(t: Translator, found: Sequence[TrainingRun]) -> dict[str, list[object]]:
    """A table of runs; whose they are, if some are another visitor's."""
    columns: dict[str, list[object]] = {
        t("train.name"): [run.name for run in found],
        t("train.state"): [t(f"train.is.{run.state}") for run in found],
        t("train.loss"): [_nats(t, run.loss) for run in found],
        t("train.best_loss"): [_nats(t, run.best_loss) for run in found],
        t("train.step"): [f"{t.integer(run.step)} / {t.integer(run.steps)}" for run in found],
        t("train.parameters"): [t.integer(n) if (n := run.facts.get("n_parameters")) else "" for run in found],
    }
    if not all(map(owner.is_mine, found)):
        mine, theirs = t("train.whose.mine"), t("train.whose.theirs")
        columns[t("train.whose")] = [mine if owner.is_mine(run) else theirs for run in found]
    return columns


def earlier(services: Services, view: TrainingView) -> None:
    """The trainings so far, the newest first; a row opens one."""
    t = view.t
    found = services.models.runs.all()
    unreadable(services, t)
    if not found:
        return
    st.markdown(f"**{t('train.earlier')}**")
    chosen = st.dataframe(
        _columns(t, found),
        key=widgets.table_key("earlier"),
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=widgets.px(min(38 * (len(found) + 1), 300)),
    )
    picked = chosen["selection"]["rows"]
    if picked and picked[0] < len(found):
        state.go(run=found[picked[0]].id)
        st.rerun()


def unreadable(services: Services, t: Translator) -> None:
    """Entries of the list that make no sense: they are named, and can be deleted."""
    for one in services.models.runs.unreadable():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(t.error(one.why))
            st.button(
                t("train.do.delete"),
                key=f"delete {one.id}",
                icon=":material/delete:",
                on_click=lambda run=one.id: attempt(lambda: services.models.runs.delete(run)),
            )


def _nats(t: Translator, loss: float | None) -> str:
    return "–" if loss is None else t.number(loss, 4)


def compare(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """Other runs on the same chart, and in what their recipes differ."""
    t = view.t
    if run.recipe.quantisation.rounds:
        place = QuantisationView(lang=t.language, section="aware", run=run.id)
        shell.link(t("train.compare.rounding"), place, "quantisation")
    others = {one.id: one for one in services.models.runs.all() if one.id != run.id}
    if not others:
        st.caption(t("train.compare.none"))
        return
    st.session_state["beside"] = [name for name in view.beside if name in others]
    chosen = widgets.multiselect(
        t("train.compare.with"),
        list(others),
        key="beside",
        format_func=lambda name: f"{others[name].name} · {t.integer(others[name].step)}",
        max_selections=_MOST_BESIDE,
        placeholder=t("train.one.choose"),
        on_change=lambda: state.go(beside=tuple(st.session_state["beside"])),
    )
    _table_of(t, [run, *(others[name] for name in chosen)])


def _table_of(t: Translator, shown: list[TrainingRun]) -> None:
    """What came of some runs, and in what their recipes differ."""
    rows = {t("train.compare.setting"): [plain(one.name) for one in shown]}
    rows[t("train.loss")] = [_nats(t, one.loss) for one in shown]
    rows[t("train.best")] = [
        "–" if one.best_loss is None else f"{t.number(one.best_loss, 4)} ({t.integer(one.best_step or 0)})"
        for one in shown
    ]
    rows[t("train.step")] = [t.integer(one.step) for one in shown]
    for difference in differences([one.recipe for one in shown]):
        rows[f"`{difference.name}`"] = [plain(visible(str(value))) for value in difference.values]
    heads, *lines = ["| " + " | ".join([name, *values]) + " |" for name, values in rows.items()]
    st.markdown("\n".join([heads, "|" + ":--|" * (len(shown) + 1), *lines]))


def export(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """The model of a step as a folder: opened here, or taken away; and the recipe as the command line reads it."""
    t = view.t
    stops = services.models.runs.stops(run.id)
    if not stops:
        st.caption(t("train.export.nothing"))
        return
    steps = [stop.step for stop in stops]
    step = view.step if view.step in steps else steps[-1]
    left, right = st.columns(2, gap="medium")
    with left:
        st.session_state["export_step"] = step
        widgets.select_slider(
            t("train.export.step"),
            steps,
            key="export_step",
            format_func=lambda step: t.integer(step),
            on_change=lambda: state.go(step=st.session_state["export_step"]),
        )
        _open_or_start(t, RunModel(run.id, step))
        _take_away(services, t, run, step)
    with right:
        st.caption(t("train.export.recipe"))
        with st.container(height=widgets.px(260)):
            st.code(toml_of(services.models.runs.recipe(run.id))[:20_000], language="toml", wrap_lines=True)


def _open_or_start(t: Translator, model: RunModel) -> None:
    """The model in the step-through, or as the start of another training."""
    shell.link(t("train.export.open"), StepThroughView(lang=t.language, model=model))
    st.button(
        t("train.export.start"),
        icon=":material/restart_alt:",
        key="start_here",
        on_click=lambda: state.go(run="", data=model.run, changes=(), start=model, window=0, tab="", step=-1),
    )


def _take_away(services: Services, t: Translator, run: TrainingRun, step: int) -> None:
    """The model as a file, or in a folder of the server."""
    st.download_button(
        t("train.export.download"),
        lambda: services.models.runs.zipped(run.id, step),
        file_name=f"{folder_name(run.name, step)}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="download",
    )
    name = folder_name(run.name, run.step)
    with st.container(horizontal=True):
        st.download_button(
            t("train.export.curves", kind=".csv"),
            lambda: as_csv(services.models.runs.curves(run.id)),
            file_name=f"{name}-curves.csv",
            icon=":material/show_chart:",
            on_click="ignore",
            key="curves.csv",
        )
        st.download_button(
            t("train.export.page"),
            widgets.or_its_error(t, lambda: training_page(services.models, run.id, t.language).html.encode()),
            file_name=f"{name}.html",
            mime="text/html",
            icon=":material/web:",
            on_click="ignore",
            key="training.page",
        )
        if has_tensorboard():
            st.download_button(
                t("train.export.curves", kind="TensorBoard"),
                lambda: as_tensorboard(services.models.runs.curves(run.id), name),
                file_name=f"{name}-tensorboard.zip",
                icon=":material/show_chart:",
                on_click="ignore",
                key="curves.tensorboard",
            )
    if st.button(t("train.export.folder"), icon=":material/folder:", key="export_folder"):
        folder = services.models.runs.export(run.id, step)
        st.success(t("train.export.written", folder=code(str(folder))))
        shell.link(t("train.export.open_folder"), StepThroughView(lang=t.language, model=Folder(str(folder))))
