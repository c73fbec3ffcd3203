"""How ids become vectors, as plain modules that a recording shows line by line."""

# torch types whatever a module returns as Any:
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.architectures import architecture_of
from lmviz.model.checkpoint import Checkpoint
from lmviz.random_state import seeded


class OneHotLookup(nn.Module):
    """A row of a matrix, found by a product: what `nn.Embedding` does without multiplying. The matrix is not copied."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach())  # [d_vocab, d_model]

    def forward(self, ids: Tensor) -> Tensor:
        one_hot = F.one_hot(ids, len(self.weight)).to(self.weight.dtype)  # [batch, pos, d_vocab]: a 1 among zeros
        rows = one_hot @ self.weight  # [batch, pos, d_model]
        return rows


class EmbeddingSum(nn.Module):
    """What enters the first block: token + position (Radford et al. 2018), + segment (Devlin et al. 2019, figure 2).

    Position may be missing, and segment too; BERT's normalisation after the sum is left out.
    """

    def __init__(self, tok_embed: nn.Module, pos_embed: nn.Module | None, seg_embed: nn.Module | None = None) -> None:
        super().__init__()
        self.tok_embed = tok_embed
        self.pos_embed = pos_embed
        self.seg_embed = seg_embed

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        tok = self.tok_embed(ids)  # [batch, pos, d_model]
        if self.pos_embed is None:
            return tok
        pos = self.pos_embed(torch.arange(ids.shape[1]))  # [pos, d_model]
        x = tok + pos  # [batch, pos, d_model]
        if self.seg_embed is None or segments is None:
            return x
        seg = self.seg_embed(segments)  # [batch, pos, d_model]
        x_seg = x + seg  # [batch, pos, d_model]
        return x_seg


def embedding_sum(checkpoint: Checkpoint) -> EmbeddingSum:
    """The sum that a model makes, with its own weights; the models here know no segments.

    Raises:
        UserError: it adds no position, or has no lesson here, so that where it does so is not known.
    """
    _, tok_embed = token_embedding(checkpoint.model)
    pos_embed = getattr(checkpoint.model, "pos_embed", None)
    if not isinstance(pos_embed, nn.Module):
        architecture_of(checkpoint.config)
        raise UserError("This model adds no vector for the position: attention itself knows the order of the tokens.")
    return EmbeddingSum(tok_embed, pos_embed)


def token_embedding(model: nn.Module) -> tuple[str, nn.Module]:
    """The table of the token vectors, `weight` [d_vocab, d_model], and its path in the model.

    It is called `tok_embed`, or is what `get_input_embeddings` returns, as in the models of transformers.

    Raises:
        UserError: there is none.
    """
    ask = getattr(model, "get_input_embeddings", None)
    found = getattr(model, "tok_embed", None) if ask is None else ask()
    weight = getattr(found, "weight", None)
    if not isinstance(found, nn.Module) or not isinstance(weight, Tensor) or weight.ndim != 2:
        raise UserError("This model has no token embedding by the name of tok_embed.")
    return next(name for name, module in model.named_modules() if module is found), found


def random_embedding_sum(d_vocab: int, n_ctx: int, d_model: int, seed: int = 0) -> EmbeddingSum:
    """BERT's sum of three at sizes of one's own, untrained: every weight from N(0, 0.02), as BERT begins."""
    with seeded(seed):
        tables = [nn.Embedding(rows, d_model) for rows in (d_vocab, n_ctx, 2)]
        for table in tables:
            nn.init.normal_(table.weight, std=0.02)
    return EmbeddingSum(*tables)
