"""Train a model: its data, its sizes, its loss falling, its past, and any one of its steps."""

from lmviz.ui import state
from lmviz.ui.training.page import page
from lmviz.ui.training.view import View

page(state.here(View))
