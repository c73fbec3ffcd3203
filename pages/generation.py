"""Let a model write on, one token at a time, and see how each was chosen."""

from lmviz.ui import state
from lmviz.ui.generation.page import page
from lmviz.ui.generation.view import View

page(state.here(View))
