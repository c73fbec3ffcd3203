"""Everything that a page can do, in words of the product. Knows nothing of Streamlit."""

from __future__ import annotations

from lmviz.registry.models import Models
from lmviz.services.bugs import BugLab
from lmviz.services.chats import Chats
from lmviz.services.doctor import Doctor
from lmviz.services.downloads import Downloads
from lmviz.services.embeddings import Embeddings
from lmviz.services.game import Game
from lmviz.services.generation import Generation
from lmviz.services.pitfalls import Pitfalls
from lmviz.services.quantisation import Quantisation
from lmviz.services.tokenizers import Tokenizers
from lmviz.services.training import Training


class Services:
    """One for all sessions; safe to use from several threads."""

    def __init__(self, models: Models | None = None) -> None:
        self.models = models or Models()
        self.training = Training(self.models)
        self.generation = Generation(self.models)
        self.tokenizers = Tokenizers(self.models)
        self.chats = Chats(self.models, self.tokenizers, self.generation)
        self.embeddings = Embeddings(self.models)
        self.quantisation = Quantisation(self.models)
        self.doctor = Doctor(self.models, self.generation)
        self.pitfalls = Pitfalls(self.models)
        self.bugs = BugLab(self.models)
        self.game = Game(self.models)
        self.downloads = Downloads()
