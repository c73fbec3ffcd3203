"""How a text becomes tokens: cut it, compare the ways to cut, learn one, and take a vocabulary apart."""

from lmviz.ui import shared, shell, state
from lmviz.ui.choices import section
from lmviz.ui.tokenizer import choices, comparing, cutting, learning, returning, vocabulary
from lmviz.ui.tokenizer.view import TokenizerView

TABS = {
    "pieces": cutting.pieces_of_text,
    "compare": comparing.side_by_side,
    "learn": learning.merge_by_merge,
    "trip": returning.there_and_back,
    "vocabulary": vocabulary.taken_apart,
}

view, services = state.here(TokenizerView), shared.services()

with shell.top(view):
    section("tokenizer.tab.", view.t, TABS, part="tab", label="tokenizer.tab", width="stretch")
with shell.sentences(view.t):
    choices.tokenizer_and_text(services, view)
    TABS[view.tab](services, view)
