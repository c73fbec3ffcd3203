"""Train a model: its data, its sizes, its loss falling, its past, and any one of its steps."""

from lmviz.ui import shared, shell, state
from lmviz.ui.training import owner, plan, runs, watch
from lmviz.ui.training.view import TrainingView

view, services = state.here(TrainingView), shared.services()

shell.look("training")
with shell.top(view) as row:
    pass  # filled below, with what there is to do
with shell.sentences(view.t):
    with row:
        run = runs.chosen(services, view)
    if run is None:
        runs.gone(view)
        plan.plan(services, view, row)
    else:
        watch.watch(services, view, row)
owner.ask(view.t)
