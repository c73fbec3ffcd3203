"""What is written along with a lecture: a bigram table, then heads one by one, with everything in global variables."""

from __future__ import annotations

import torch
import torch.nn as nn
from torch.nn import functional as F

vocab_size, n_embd, block_size, n_head, n_layer, dropout = 12, 16, 16, 4, 2, 0.2


class BigramLanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embedding_table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, idx, targets=None):
        logits = self.token_embedding_table(idx)
        if targets is None:
            loss = None
        else:
            B, T, C = logits.shape
            logits = logits.view(B * T, C)
            targets = targets.view(B * T)
            loss = F.cross_entropy(logits, targets)
        return logits, loss


class Head(nn.Module):
    def __init__(self, head_size, fault=""):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(block_size, block_size)))
        self.dropout = nn.Dropout(dropout)
        self.fault = fault

    def forward(self, x):
        B, T, C = x.shape
        k, q = self.key(x), self.query(x)
        size = C if self.fault == "scaled by the width" else k.shape[-1]
        wei = q @ k.transpose(-2, -1) * size**-0.5
        wei = wei.masked_fill(self.tril[:T, :T] == 0, float("-inf"))
        wei = F.softmax(wei, dim=1 if self.fault == "softmax over queries" else -1)
        if self.fault == "softmax over queries":
            wei = wei.nan_to_num()
        wei = self.dropout(wei)
        return wei @ self.value(x)


class MultiHeadAttention(nn.Module):
    def __init__(self, num_heads, head_size, fault=""):
        super().__init__()
        heads = [Head(head_size, fault) for _ in range(num_heads)]
        self.heads = heads if fault == "heads in a list" else nn.ModuleList(heads)
        self.proj = nn.Linear(head_size * num_heads, n_embd)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        out = torch.cat([h(x) for h in self.heads], dim=-1)
        return self.dropout(self.proj(out))


class FeedForward(nn.Module):
    def __init__(self, n_embd):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd), nn.ReLU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(dropout)
        )

    def forward(self, x):
        return self.net(x)


class Block(nn.Module):
    def __init__(self, n_embd, n_head, fault=""):
        super().__init__()
        self.sa = MultiHeadAttention(n_head, n_embd // n_head, fault)
        self.ffwd = FeedForward(n_embd)
        self.ln1, self.ln2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.fault = fault

    def forward(self, x):
        if self.fault == "no residual":
            x = self.sa(self.ln1(x))
            return self.ffwd(self.ln2(x))
        x = x + self.sa(self.ln1(x))
        x = x + self.ffwd(self.ln2(x))
        return x


class GPTLanguageModel(nn.Module):
    """In training its logits are [batch * pos, d_vocab]."""

    def __init__(self, fault=""):
        super().__init__()
        self.token_embedding_table = nn.Embedding(vocab_size, n_embd)
        self.position_embedding_table = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block(n_embd, n_head, fault) for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size)
        self.fault = fault
        if fault == "units that are off":
            for block in self.blocks:
                nn.init.constant_(block.ffwd.net[0].bias, -20.0)

    def forward(self, idx, targets=None):
        B, T = idx.shape
        tok_emb = self.token_embedding_table(idx)
        pos_emb = self.position_embedding_table(torch.arange(T))
        x = self.blocks(tok_emb + pos_emb)
        logits = self.lm_head(self.ln_f(x))
        if self.fault == "softmax at the end":
            logits = F.softmax(logits, dim=-1)
        if targets is None:
            return logits, None
        B, T, C = logits.shape
        logits = logits.view(B * T, C)
        return logits, F.cross_entropy(logits, targets.view(B * T))
