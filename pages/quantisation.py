"""A model in fewer bits: one weight worked out, the whole model, and what fewer bits cost it."""

from lmviz.ui import choices, model_field, shared, shell, state
from lmviz.ui.quantisation import aware, calibration, model, weight
from lmviz.ui.quantisation.view import QuantisationView

SECTIONS = {"weight": weight, "model": model, "calibration": calibration, "aware": aware}

view, services = state.here(QuantisationView), shared.services()

with shell.top(view):
    choices.section("quantisation.", view.t, SECTIONS)
    if not (view.run and view.section == "aware"):  # a training brings its model with it
        choices.model(services, view.t, view.model, weight="", cell=(0, 0), prompt=None, trains=False)
model_field.notice(services, view.t, view.model)
with shell.sentences(view.t):
    SECTIONS[view.section].section(services, view)
