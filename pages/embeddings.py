"""How ids become vectors: look-ups, sums, neighbours, maps, and vectors learned from a text."""

from lmviz.ui import choices, model_field, shared, shell, state
from lmviz.ui.embeddings import answers, fasttext, look_up, near, sum, ten_words, word2vec
from lmviz.ui.embeddings.view import EmbeddingsView

SECTIONS = {
    "look_up": look_up,
    "ten_words": ten_words,
    "sum": sum,
    "near": near,
    "answers": answers,
    "word2vec": word2vec,
    "fasttext": fasttext,
}
OF_A_MODEL = ("look_up", "sum", "near", "answers")  # sections that show a model of the visitor's choice
ANEW = {"prompt": None, "opening": None, "token": -1, "cell": None, "id": 1, "answers": (), "second": 0}

view, services = state.here(EmbeddingsView), shared.services()

with shell.top(view):
    choices.section("embeddings.", view.t, SECTIONS, cell=None)
    if view.section in OF_A_MODEL:
        choices.model(services, view.t, view.model, **ANEW)
model_field.notice(services, view.t, view.model)
with shell.sentences(view.t):
    SECTIONS[view.section].section(services, view)
