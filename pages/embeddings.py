"""How ids become vectors: look-ups, sums, neighbours, maps, and vectors learned from a text."""

from lmviz.ui import state
from lmviz.ui.embeddings.page import page
from lmviz.ui.embeddings.view import View

page(state.here(View))
