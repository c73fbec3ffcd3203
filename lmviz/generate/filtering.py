"""The filters once more, as one plain module: in a recording of it every column can be asked where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.generate.filters import ban_repeats, cool, keep_min_p, keep_top_k, keep_top_p, penalise_repeats
from lmviz.generate.settings import Settings


class Filtering(nn.Module):
    """Logits to the distribution that the next token is drawn from.

    In a recording, every column is an address; a filter that is off leaves no step.
    """

    def __init__(self, settings: Settings, ids: Sequence[int]) -> None:
        super().__init__()
        self.settings = settings
        self.ids = tuple(ids)  # all tokens so far

    def forward(self, logits: Tensor) -> Tensor:
        cfg, ids = self.settings, self.ids
        scores = logits[0, -1]  # [d_vocab], for the token after the last position; so are all below
        penalised = penalise_repeats(scores, ids, cfg.repetition_penalty) if cfg.repetition_penalty != 1 else scores
        allowed = ban_repeats(penalised, ids, cfg.no_repeat_ngram) if cfg.no_repeat_ngram else penalised
        cooled = cool(allowed, cfg.temperature) if cfg.draws and cfg.temperature != 1 else allowed
        top_k = keep_top_k(cooled, cfg.top_k) if cfg.draws and cfg.top_k else cooled
        top_p = keep_top_p(top_k, cfg.top_p) if cfg.draws and cfg.top_p < 1 else top_k
        min_p = keep_min_p(top_p, cfg.min_p) if cfg.draws and cfg.min_p else top_p
        probs = F.softmax(min_p, dim=-1)  # [d_vocab], sums to 1
        return probs
