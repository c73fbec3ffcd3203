"""A model in fewer bits: one weight worked out, the whole model, and what fewer bits cost it."""

from lmviz.ui import state
from lmviz.ui.quantisation.page import page
from lmviz.ui.quantisation.view import View

page(state.here(View))
