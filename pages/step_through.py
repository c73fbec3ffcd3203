"""Step through one forward pass, and ask any cell where its number comes from."""

from lmviz.ui import state
from lmviz.ui.step_through.page import page
from lmviz.ui.step_through.view import View

page(state.here(View))
