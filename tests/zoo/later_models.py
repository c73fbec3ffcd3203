"""Models that were written after the checks, to see whether these hold for what they never saw."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class NoPositions(nn.Module):
    """Attention without any positions, on purpose: the mask is enough from two blocks on."""

    def __init__(self, layers=3):
        super().__init__()
        self.emb = nn.Embedding(12, 16)
        self.qkv = nn.ModuleList(nn.Linear(16, 48) for _ in range(layers))
        self.proj = nn.ModuleList(nn.Linear(16, 16) for _ in range(layers))
        self.up = nn.ModuleList(nn.Linear(16, 64) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(64, 16) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(2 * layers + 1))
        self.head = nn.Linear(16, 12)

    def forward(self, ids):
        x = self.emb(ids)
        for i, (qkv, proj, up, down) in enumerate(zip(self.qkv, self.proj, self.up, self.down)):
            q, k, v = qkv(self.norms[2 * i](x)).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
            x = x + proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
            x = x + down(F.silu(up(self.norms[2 * i + 1](x))))
        return self.head(self.norms[-1](x))


class T5Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight, self.variance_epsilon = nn.Parameter(torch.ones(size)), 1e-6

    def forward(self, hidden_states):
        variance = hidden_states.to(torch.float32).pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))


class RelativeBlock(nn.Module):
    """As in T5: a bias for every distance, and no factor before the softmax; the queries start smaller instead."""

    def __init__(self, d=16, heads=2, buckets=8):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        nn.init.normal_(self.q.weight, std=(d * d / heads) ** -0.5)
        for w in (self.k, self.v, self.o):
            nn.init.normal_(w.weight, std=d**-0.5)
        self.relative_attention_bias = nn.Embedding(buckets, heads)
        self.wi, self.wo = nn.Linear(d, 32, bias=False), nn.Linear(32, d, bias=False)
        self.layer_norm_1, self.layer_norm_2, self.heads, self.buckets = T5Norm(d), T5Norm(d), heads, buckets

    def forward(self, x):
        normed, n = self.layer_norm_1(x), x.shape[1]
        q, k, v = (w(normed).view(x.shape[0], -1, self.heads, 8).transpose(1, 2) for w in (self.q, self.k, self.v))
        distance = (torch.arange(n)[:, None] - torch.arange(n)[None, :]).clamp(0, self.buckets - 1)
        bias = self.relative_attention_bias(distance).permute(2, 0, 1).unsqueeze(0)
        bias = bias + (1.0 - torch.tril(torch.ones(n, n))) * torch.finfo(torch.float32).min
        scores = torch.matmul(q, k.transpose(3, 2)) + bias
        weights = F.softmax(scores.float(), dim=-1).type_as(scores)
        x = x + self.o(torch.matmul(weights, v).transpose(1, 2).contiguous().view(x.shape))
        return x + self.wo(F.relu(self.wi(self.layer_norm_2(x))))


class Relative(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared, self.block = nn.Embedding(12, 16), nn.ModuleList([RelativeBlock(), RelativeBlock()])
        self.final_layer_norm, self.lm_head = T5Norm(16), nn.Linear(16, 12, bias=False)
        nn.init.normal_(self.lm_head.weight, std=0.1)

    def forward(self, input_ids):
        hidden = self.shared(input_ids)
        for block in self.block:
            hidden = block(hidden)
        return self.lm_head(self.final_layer_norm(hidden))


class TimeMixing(nn.Module):
    """A recurrence with decays, and tokens that are mixed with the one before."""

    def __init__(self, d=16, fault=""):
        super().__init__()
        self.time_decay, self.time_first = nn.Parameter(torch.linspace(-2, 1, d)), nn.Parameter(torch.zeros(d))
        self.time_mix_k, self.time_mix_v, self.time_mix_r = (nn.Parameter(torch.full((1, 1, d), 0.5)) for _ in range(3))
        self.key, self.value, self.receptance, self.output = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.time_shift = nn.ZeroPad2d((0, 0, 1, -1) if fault != "shifted the wrong way" else (0, 0, -1, 1))

    def forward(self, x):
        xx = self.time_shift(x)
        k = self.key(x * self.time_mix_k + xx * (1 - self.time_mix_k))
        v = self.value(x * self.time_mix_v + xx * (1 - self.time_mix_v))
        r = torch.sigmoid(self.receptance(x * self.time_mix_r + xx * (1 - self.time_mix_r)))
        num, den, out = torch.zeros_like(k[:, 0]), torch.zeros_like(k[:, 0]), []
        w = torch.exp(-torch.exp(self.time_decay))
        for t in range(x.shape[1]):
            now = torch.exp(self.time_first + k[:, t])
            out.append((num + now * v[:, t]) / (den + now))
            num, den = w * num + torch.exp(k[:, t]) * v[:, t], w * den + torch.exp(k[:, t])
        return self.output(r * torch.stack(out, 1))


class Rwkv(nn.Module):
    def __init__(self, fault=""):
        super().__init__()
        self.emb, self.ln0 = nn.Embedding(12, 16), nn.LayerNorm(16)
        self.att, self.ln1 = (
            nn.ModuleList(TimeMixing(fault=fault) for _ in range(2)),
            nn.ModuleList(nn.LayerNorm(16) for _ in range(2)),
        )
        self.ffn = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)) for _ in range(2)
        )
        self.ln_out, self.head = nn.LayerNorm(16), nn.Linear(16, 12, bias=False)

    def forward(self, idx, targets=None):
        x = self.ln0(self.emb(idx))
        for att, ln, ffn in zip(self.att, self.ln1, self.ffn):
            x = x + att(ln(x))
            x = x + ffn(x)
        logits = self.head(self.ln_out(x))
        return logits, (None if targets is None else F.cross_entropy(logits.view(-1, 12), targets.view(-1)))


class Experts(nn.Module):
    def __init__(self, d=16, n=4, fault=""):
        super().__init__()
        self.gate = nn.Linear(d, n, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d)) for _ in range(n)
        )
        self.fault = fault

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        shares = self.gate(flat).softmax(dim=0 if self.fault == "routed over tokens" else -1)
        top, chosen = shares.topk(1, dim=-1)
        out = torch.zeros_like(flat)
        for i, expert in enumerate(self.experts):
            rows = (chosen == i).any(-1).nonzero().squeeze(-1)
            if len(rows):
                out = out.index_add(0, rows, expert(flat[rows]) * top[rows])
        return out.view_as(x)


class Mixture(nn.Module):
    def __init__(self, fault=""):
        super().__init__()
        self.embed, self.position = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.attn = nn.ModuleList(nn.MultiheadAttention(16, 2, batch_first=True) for _ in range(2))
        self.moe = nn.ModuleList(Experts(fault=fault) for _ in range(2))
        self.n1, self.n2 = (
            nn.ModuleList(nn.LayerNorm(16) for _ in range(2)),
            nn.ModuleList(nn.LayerNorm(16) for _ in range(2)),
        )
        self.unembed = nn.Linear(16, 12)

    def forward(self, ids):
        n = ids.shape[1]
        x = self.embed(ids) + self.position(torch.arange(n))
        mask = torch.triu(torch.full((n, n), float("-inf")), diagonal=1)
        for attn, moe, n1, n2 in zip(self.attn, self.moe, self.n1, self.n2):
            h = n1(x)
            x = x + attn(h, h, h, attn_mask=mask, is_causal=True)[0]
            x = x + moe(n2(x))
        return self.unembed(x)


class Sliding(nn.Module):
    """Every token sees the last four."""

    def __init__(self, window=4):
        super().__init__()
        self.embed, self.qkv, self.out = nn.Embedding(12, 16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.bias, self.norm, self.head = nn.Parameter(torch.zeros(window)), nn.LayerNorm(16), nn.Linear(16, 12)
        self.window = window
        nn.init.normal_(self.bias)

    def forward(self, ids):
        x = self.embed(ids)
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        back = torch.arange(ids.shape[1])[:, None] - torch.arange(ids.shape[1])
        seen = (back >= 0) & (back < self.window)
        scores = q @ k.mT / 4 + self.bias[back.clamp(0, self.window - 1)]
        x = x + self.out(scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v)
        return self.head(x)


class Trigram(nn.Module):
    """A network on the last three tokens, joined."""

    def __init__(self, block=3):
        super().__init__()
        self.C, self.block = nn.Embedding(13, 8), block
        self.mlp = nn.Sequential(nn.Linear(8 * block, 48), nn.Tanh(), nn.Linear(48, 12))

    def forward(self, idx):
        embs = []
        for _ in range(self.block):
            embs.append(self.C(idx))
            idx = torch.roll(idx, 1, 1)
            idx[:, 0] = 12
        return self.mlp(torch.cat(embs, -1))


class OnePlusNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        output = x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + self.eps)
        return (output * (1.0 + self.weight.float())).type_as(x)


class SandwichLayer(nn.Module):
    """Norms before and after, queries and keys normed, scores and logits kept within bounds."""

    def __init__(self, d=16, heads=2):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = OnePlusNorm(d), OnePlusNorm(d)
        self.pre_feedforward_layernorm, self.post_feedforward_layernorm = OnePlusNorm(d), OnePlusNorm(d)
        self.q_norm, self.k_norm = OnePlusNorm(d // heads), OnePlusNorm(d // heads)
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.gate_proj, self.up_proj, self.down_proj = (
            nn.Linear(d, 32, bias=False),
            nn.Linear(d, 32, bias=False),
            nn.Linear(32, d, bias=False),
        )
        self.heads = heads

    def forward(self, hidden_states, cos, sin):
        residual = hidden_states
        h = self.input_layernorm(hidden_states)
        q, k, v = (
            p(h).view(*h.shape[:2], self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = self.q_norm(q), self.k_norm(k)
        half = lambda t: torch.cat((-t[..., t.shape[-1] // 2 :], t[..., : t.shape[-1] // 2]), dim=-1)
        q, k = q * cos + half(q) * sin, k * cos + half(k) * sin
        scores = torch.tanh(q @ k.transpose(2, 3) * 4**-0.5 / 50.0) * 50.0
        scores = scores + torch.triu(torch.full((h.shape[1], h.shape[1]), -2.3819763e38), 1)
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(h.shape)
        hidden_states = residual + self.post_attention_layernorm(self.o_proj(out))
        residual = hidden_states
        h = self.pre_feedforward_layernorm(hidden_states)
        h = self.down_proj(F.gelu(self.gate_proj(h), approximate="tanh") * self.up_proj(h))
        return residual + self.post_feedforward_layernorm(h)


class Sandwich(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens, self.layers, self.norm = (
            nn.Embedding(12, 16, padding_idx=0),
            nn.ModuleList([SandwichLayer(), SandwichLayer()]),
            OnePlusNorm(16),
        )
        nn.init.normal_(self.embed_tokens.weight, std=0.02)

    def forward(self, input_ids):
        h = self.embed_tokens(input_ids) * 16**0.5
        freqs = torch.outer(torch.arange(input_ids.shape[1]).float(), 100.0 ** -(torch.arange(4) / 4))
        cos, sin = torch.cat([freqs, freqs], -1).cos(), torch.cat([freqs, freqs], -1).sin()
        for layer in self.layers:
            h = layer(h, cos, sin)
        logits = self.norm(h) @ self.embed_tokens.weight.T
        return {"logits": torch.tanh(logits / 30.0) * 30.0}


class LinearAttention(nn.Module):
    """elu(x) + 1 in place of a softmax, sums that run on."""

    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.to_qkv, self.to_out, self.ln = nn.Linear(16, 48, bias=False), nn.Linear(16, 16), nn.LayerNorm(16)
        self.net, self.logits = (
            nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 64), nn.Mish(), nn.Linear(64, 16)),
            nn.Linear(16, 12),
        )

    def forward(self, x):
        x = self.tok(x) + self.pos(torch.arange(x.shape[-1]))
        q, k, v = self.to_qkv(self.ln(x)).chunk(3, dim=-1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        context = torch.einsum("bnd,bne->bnde", k, v).cumsum(dim=1)
        norm = torch.einsum("bnd,bnd->bn", q, k.cumsum(dim=1)).clamp(min=1e-6)
        x = x + self.to_out(torch.einsum("bnd,bnde->bne", q, context) / norm.unsqueeze(-1))
        return self.logits(x + self.net(x))


class ZeroStart(nn.Module):
    """Last matrices start at 0, ReLU squared, an rms_norm without weights, checkpoints in training."""

    class Block(nn.Module):
        def __init__(self, d=16, heads=2):
            super().__init__()
            self.c_q, self.c_k, self.c_v, self.c_proj = (nn.Linear(d, d, bias=False) for _ in range(4))
            self.c_fc, self.mlp_proj, self.heads = (
                nn.Linear(d, 4 * d, bias=False),
                nn.Linear(4 * d, d, bias=False),
                heads,
            )
            nn.init.zeros_(self.c_proj.weight)
            nn.init.zeros_(self.mlp_proj.weight)

        def forward(self, x, cos_sin):
            cos, sin = cos_sin
            h = F.rms_norm(x, (x.size(-1),))
            q, k, v = (w(h).view(*x.shape[:2], self.heads, -1) for w in (self.c_q, self.c_k, self.c_v))
            turn = lambda t: torch.cat([t[..., :4] * cos + t[..., 4:] * sin, t[..., 4:] * cos - t[..., :4] * sin], 3)
            q, k = F.rms_norm(turn(q), (8,)), F.rms_norm(turn(k), (8,))
            y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
            x = x + self.c_proj(y.transpose(1, 2).contiguous().view(x.shape))
            return x + self.mlp_proj(F.relu(self.c_fc(F.rms_norm(x, (x.size(-1),)))).square())

    def __init__(self):
        super().__init__()
        self.wte, self.h = nn.Embedding(12, 16), nn.ModuleList([ZeroStart.Block(), ZeroStart.Block()])
        self.lm_head = nn.Linear(16, 12, bias=False)
        nn.init.zeros_(self.lm_head.weight)

    def forward(self, idx, targets=None):
        freqs = torch.outer(torch.arange(idx.shape[1]).float(), 100.0 ** -(torch.arange(4) / 4))
        cos_sin = freqs.cos()[None, :, None, :], freqs.sin()[None, :, None, :]
        x = F.rms_norm(self.wte(idx), (16,))
        for block in self.h:
            x = checkpoint(block, x, cos_sin, use_reentrant=False) if self.training else block(x, cos_sin)
        logits = 15 * torch.tanh(self.lm_head(F.rms_norm(x, (16,))) / 15)
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, 12), targets.view(-1), ignore_index=-1)


class FrozenSines(nn.Module):
    """Positions as a parameter that is not trained; a decoder of torch's with an empty memory."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 16)
        angle = torch.arange(16)[:, None] / 10000 ** (torch.arange(0, 16, 2) / 16)
        self.pe = nn.Parameter(torch.stack([angle.sin(), angle.cos()], -1).flatten(1), requires_grad=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 2, 32, 0.1, batch_first=True), 2)
        self.fc_out = nn.Linear(16, 12)
        self.memory = nn.Parameter(torch.zeros(1, 1, 16))

    def forward(self, x):
        n = x.size(1)
        h = self.embedding(x) * 4 + self.pe[:n]
        mask = nn.Transformer.generate_square_subsequent_mask(n)
        return self.fc_out(self.decoder(h, self.memory.expand(x.size(0), -1, -1), tgt_mask=mask, tgt_is_causal=True))


class Cached(nn.Module):
    """One head of keys for all queries; gives its cache back too."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.q, self.kv, self.o, self.ln = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.LayerNorm(16)
        self.ff, self.head = (
            nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 64), nn.SiLU(), nn.Linear(64, 16)),
            nn.Linear(16, 12),
        )

    def forward(self, ids, past=None, use_cache=True):
        start = 0 if past is None else past[0].shape[1]
        x = self.wte(ids) + self.wpe(torch.arange(start, start + ids.shape[1]))
        h = self.ln(x)
        k, v = self.kv(h).chunk(2, -1)
        if past is not None:
            k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
        q = self.q(h).unflatten(-1, (2, 8)).transpose(1, 2)
        scores = torch.einsum("bhqe,bke->bhqk", q, k) * 8**-0.5
        allowed = torch.arange(k.shape[1])[None, :] <= torch.arange(start, start + ids.shape[1])[:, None]
        probs = torch.where(allowed, scores, scores.new_tensor(-1e4)).softmax(-1)
        x = x + self.o(torch.einsum("bhqk,bke->bqhe", probs, v).flatten(2))
        return self.head(x + self.ff(x)), ((k, v) if use_cache else None)


class Sinks(nn.Module):
    """A logit of its own for every head may take what no token should have: rows of tokens sum to less than 1."""

    def __init__(self):
        super().__init__()
        self.e, self.p = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.qkv, self.proj, self.norm, self.norm2 = (
            nn.Linear(16, 48),
            nn.Linear(16, 16),
            nn.RMSNorm(16),
            nn.RMSNorm(16),
        )
        self.sinks = nn.Parameter(torch.zeros(2))
        self.mlp, self.head = nn.Sequential(nn.Linear(16, 64), nn.Hardswish(), nn.Linear(64, 16)), nn.Linear(16, 12)

    def forward(self, ids):
        b, n = ids.shape
        x = self.e(ids) + self.p.weight[:n]
        q, k, v = self.qkv(self.norm(x)).view(b, n, 3, 2, 8).permute(2, 0, 3, 1, 4)
        scores = q @ k.mT / math.sqrt(8) + torch.full((n, n), -torch.inf).triu(1)
        sink = self.sinks.view(1, 2, 1, 1).expand(b, -1, n, -1)
        shares = torch.cat([scores, sink], dim=-1).softmax(dim=-1)[..., :-1]
        x = x + self.proj((shares @ v).transpose(1, 2).flatten(2))
        return self.head(x + self.mlp(self.norm2(x)))


# -- broken ----------------------------------------------------------------------------------------------------------


class Broken(nn.Module):
    """A small GPT with one of several faults."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.tok, self.pos = nn.Embedding(12, 16), nn.Embedding(16, 16)
        blocks = [BrokenBlock(fault) for _ in range(2)]
        if fault == "blocks in a dict":
            self.blocks = {"first": blocks[0], "second": blocks[1]}
        else:
            self.blocks = nn.ModuleDict({"first": blocks[0], "second": blocks[1]})
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 12)
        if fault == "a wide head":
            nn.init.normal_(self.head.weight, std=3.0)

    def forward(self, ids):
        places = torch.arange(ids.shape[0 if self.fault == "places of texts" else 1])
        pos = self.pos(places)
        if self.fault == "places of texts":
            x = self.tok(ids) + pos[:, None]
        elif self.fault == "no gradient for tokens":
            with torch.no_grad():
                tok = self.tok(ids)
            x = tok + pos
        else:
            x = self.tok(ids) + pos
        if self.fault == "dropout by hand":
            x = F.dropout(x, 0.1)
        for block in self.blocks.values():
            x = block(x)
        if self.fault == "normed along the text":
            x = F.instance_norm(x.transpose(1, 2)).transpose(1, 2)
        logits = self.head(self.norm(x))
        return logits.log_softmax(-1).exp() if self.fault == "shares" else logits


class BrokenBlock(nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.query, self.key, self.value, self.out = (nn.Linear(16, 16) for _ in range(4))
        self.ln1, self.ln2 = nn.LayerNorm(16), nn.LayerNorm(16)
        middle = nn.Dropout(0.1) if fault == "only dropout between" else nn.GELU()
        self.mlp = nn.Sequential(nn.Linear(16, 64), middle, nn.Linear(64, 16))

    def attention(self, x):
        n = x.shape[1]
        q, k, v = (w(x).view(*x.shape[:2], 2, 8).transpose(1, 2) for w in (self.query, self.key, self.value))
        scores = q @ k.transpose(-2, -1)
        scores = scores * 8**0.5 if self.fault == "multiplied by the root" else scores / 8**0.5
        later = torch.ones(n, n).triu(1).bool()
        if self.fault == "a mask of one column":
            later = torch.zeros(n, n).bool()
            later[:, -1] = True
            later[-1, -1] = False
        scores = scores.masked_fill(later, float("-inf"))
        if self.fault == "a softmax by hand that overflows":
            shares = torch.exp(scores * 1e4)
            shares = shares / shares.sum(-1, keepdim=True)
        else:
            shares = scores.softmax(-1)
        return self.out((shares @ v).transpose(1, 2).reshape(x.shape))

    def forward(self, x):
        a = self.attention(self.ln1(x))
        if self.fault == "attention replaces":
            x = a
        elif self.fault == "attention as data":
            x = x + a.data
        else:
            x = x + a
        return x + self.mlp(self.ln2(x))


class BothSides(nn.Module):
    """Convolutions that look as far ahead as back."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(12, 16), nn.Linear(16, 12)
        self.convs = nn.ModuleList([nn.Conv1d(16, 16, 3, padding="same") for _ in range(2)])

    def forward(self, ids):
        x = self.embed(ids).transpose(1, 2)
        for conv in self.convs:
            x = x + F.gelu(conv(x))
        return self.out(x.transpose(1, 2))


class ShortRotations(nn.Module):
    """The table of rotations has fewer rows than the context."""

    def __init__(self, rows=12):
        super().__init__()
        self.embed, self.qk, self.v, self.head = (
            nn.Embedding(12, 16),
            nn.Linear(16, 32),
            nn.Linear(16, 16),
            nn.Linear(16, 12),
        )
        angle = torch.outer(torch.arange(rows).float(), 100.0 ** -(torch.arange(8) / 8))
        self.register_buffer("cos", torch.cat([angle, angle], -1).cos())
        self.register_buffer("sin", torch.cat([angle, angle], -1).sin())

    def forward(self, ids):
        x, n = self.embed(ids), ids.shape[1]
        q, k = self.qk(x).chunk(2, -1)
        turn = lambda t: t * self.cos[:n] + torch.cat([-t[..., 8:], t[..., :8]], -1) * self.sin[:n]
        scores = (turn(q) @ turn(k).mT / 4).masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf)
        return self.head(x + scores.softmax(-1) @ self.v(x))
