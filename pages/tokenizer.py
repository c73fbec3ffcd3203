"""How a text becomes tokens: cut it, compare the ways to cut, learn one, and take a vocabulary apart."""

from lmviz.ui import state
from lmviz.ui.tokenizer.page import page
from lmviz.ui.tokenizer.view import View

page(state.here(View))
