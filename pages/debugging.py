"""The pitfalls of training made visible, a doctor for any model or run, a bug lab, a game and exercises."""

from lmviz.ui import state
from lmviz.ui.debugging.page import page
from lmviz.ui.debugging.view import View

page(state.here(View))
