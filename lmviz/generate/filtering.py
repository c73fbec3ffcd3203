"""The filters once more, as one plain module: in a recording of it every column can be asked where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.generate.filters import ban_repeats, cool, keep_min_p, keep_top_k, keep_top_p, penalise_repeats
from lmviz.generate.settings import Settings


class Filtering(nn.Module):
    """Logits to the distribution that the next token is drawn from; filters that are off leave no step."""

    def __init__(self, settings: Settings, ids: Sequence[int]) -> None:
        super().__init__()
        self.settings = settings
        self.ids = tuple(ids)  # all tokens so far

    def forward(self, logits: Tensor) -> Tensor:
        scores = logits[0, -1]  # [d_vocab], for the token after the last position
        if self.settings.repetition_penalty != 1:
            scores = penalise_repeats(scores, self.ids, self.settings.repetition_penalty)  # [d_vocab]
        if self.settings.no_repeat_ngram:
            scores = ban_repeats(scores, self.ids, self.settings.no_repeat_ngram)  # [d_vocab]
        if self.settings.draws:
            scores = cool(scores, self.settings.temperature)  # [d_vocab]
        if self.settings.draws and self.settings.top_k:
            scores = keep_top_k(scores, self.settings.top_k)  # [d_vocab]
        if self.settings.draws and self.settings.top_p < 1:
            scores = keep_top_p(scores, self.settings.top_p)  # [d_vocab]
        if self.settings.draws and self.settings.min_p:
            scores = keep_min_p(scores, self.settings.min_p)  # [d_vocab]
        probs = F.softmax(scores, dim=-1)  # [d_vocab], sums to 1
        return probs
