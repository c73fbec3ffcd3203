"""Later architectures in few lines: einsum, rotary positions, grouped heads, ALiBi, parallel blocks, state spaces."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import einsum, nn


class EinsumAttention(nn.Module):
    """Heads have weights of their own: [head, d_model, d_head]."""

    def __init__(self, d_model=16, n_heads=2, d_head=8, fault=""):
        super().__init__()
        self.W_Q, self.W_K, self.W_V = (nn.Parameter(torch.empty(n_heads, d_model, d_head)) for _ in range(3))
        self.W_O = nn.Parameter(torch.empty(n_heads, d_head, d_model))
        self.b_O = nn.Parameter(torch.zeros(d_model))
        for w in (self.W_Q, self.W_K, self.W_V, self.W_O):
            nn.init.normal_(w, std=0.02)
        self.register_buffer("IGNORE", torch.tensor(-1e5))
        self.d_head, self.fault = d_head, fault

    def forward(self, x):
        q = einsum("bpd,hde->bphe", x, self.W_Q)
        k = einsum("bpd,hde->bphe", x, self.W_K)
        v = einsum("bpd,hde->bphe", x, self.W_V)
        scores = einsum("bqhe,bkhe->bhqk", q, k) / self.d_head**0.5
        later = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), diagonal=1)
        scores = scores.masked_fill(later, self.IGNORE)
        pattern = scores.softmax(-2 if self.fault == "softmax over queries" else -1)
        z = einsum("bkhe,bhqk->bqhe", v, pattern)
        return einsum("bqhe,hed->bqd", z, self.W_O) + self.b_O


class EinsumBlock(nn.Module):
    def __init__(self, fault=""):
        super().__init__()
        self.ln1, self.ln2, self.attn = nn.LayerNorm(16), nn.LayerNorm(16), EinsumAttention(fault=fault)
        self.W_in, self.W_out = nn.Parameter(torch.empty(16, 64)), nn.Parameter(torch.empty(64, 16))
        self.b_in, self.b_out = nn.Parameter(torch.zeros(64)), nn.Parameter(torch.zeros(16))
        nn.init.normal_(self.W_in, std=0.02)
        nn.init.normal_(self.W_out, std=0.02)

    def forward(self, resid_pre):
        resid_mid = self.attn(self.ln1(resid_pre)) + resid_pre
        pre = einsum("bpd,dm->bpm", self.ln2(resid_mid), self.W_in) + self.b_in
        return einsum("bpm,md->bpd", F.gelu(pre), self.W_out) + self.b_out + resid_mid


class EinsumTransformer(nn.Module):
    def __init__(self, fault=""):
        super().__init__()
        self.W_E, self.W_pos = nn.Parameter(torch.empty(12, 16)), nn.Parameter(torch.empty(16, 16))
        self.W_U = nn.Parameter(torch.empty(16, 12))
        for w in (self.W_E, self.W_pos, self.W_U):
            nn.init.normal_(w, std=0.02)
        self.blocks, self.ln_final = nn.ModuleList([EinsumBlock(fault) for _ in range(2)]), nn.LayerNorm(16)

    def forward(self, tokens):
        x = self.W_E[tokens] + self.W_pos[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.ln_final(x) @ self.W_U


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5, axis=-1):
        super().__init__()
        self.eps, self.weight, self.axis = eps, nn.Parameter(torch.ones(dim)), axis

    def forward(self, x):
        normed = x.float() * torch.rsqrt(x.float().pow(2).mean(self.axis, keepdim=True) + self.eps)
        return normed.type_as(x) * self.weight


def rotations(dim, end, theta=10000.0):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: dim // 2].float() / dim))
    freqs = torch.outer(torch.arange(end).float(), freqs)
    return torch.polar(torch.ones_like(freqs), freqs)


def apply_rotary(x, freqs):
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * freqs[: x.shape[1], None]).flatten(3).type_as(x)


class LlamaBlock(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads, fault=""):
        super().__init__()
        self.n_heads, self.n_kv, self.head_dim = n_heads, n_kv_heads, dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.w1, self.w2, self.w3 = (
            nn.Linear(dim, 40, bias=False),
            nn.Linear(40, dim, bias=False),
            nn.Linear(dim, 40, bias=False),
        )
        axis = 1 if fault == "norm over positions" else -1
        self.attention_norm, self.ffn_norm = RMSNorm(dim, axis=axis), RMSNorm(dim, axis=axis)
        self.fault = fault

    def attention(self, x, freqs):
        b, n, _ = x.shape
        q = apply_rotary(self.wq(x).view(b, n, self.n_heads, self.head_dim), freqs).transpose(1, 2)
        k = apply_rotary(self.wk(x).view(b, n, self.n_kv, self.head_dim), freqs)
        v = self.wv(x).view(b, n, self.n_kv, self.head_dim)
        k, v = (t.repeat_interleave(self.n_heads // self.n_kv, dim=2).transpose(1, 2) for t in (k, v))
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.head_dim)
        if n > 1:
            mask = torch.full((n, n), float("-inf"))
            mask = torch.triu(mask, diagonal=0 if self.fault == "itself hidden" else 1)
            scores = scores + mask
        out = torch.matmul(F.softmax(scores.float(), dim=-1).type_as(q), v)
        return self.wo(out.transpose(1, 2).contiguous().view(b, n, -1))

    def forward(self, x, freqs):
        h = x + self.attention(self.attention_norm(x), freqs)
        normed = self.ffn_norm(h)
        return h + self.w2(F.silu(self.w1(normed)) * self.w3(normed))


class Llama(nn.Module):
    def __init__(self, fault=""):
        super().__init__()
        self.tok_embeddings = nn.Embedding(12, 16)
        self.layers = nn.ModuleList([LlamaBlock(16, 4, 2, fault) for _ in range(2)])
        self.norm, self.output = RMSNorm(16), nn.Linear(16, 12, bias=False)
        self.register_buffer("freqs_cis", rotations(4, 32), persistent=False)

    def forward(self, tokens):
        h = self.tok_embeddings(tokens)
        for layer in self.layers:
            h = layer(h, self.freqs_cis)
        return self.output(self.norm(h)).float()


class AlibiBlock(nn.Module):
    def __init__(self, d=16, heads=4):
        super().__init__()
        self.ln1, self.qkv, self.out, self.ln2 = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d), nn.LayerNorm(d)
        self.ff = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.heads = heads
        self.register_buffer("slopes", 2.0 ** -torch.arange(1, heads + 1))

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        distance = torch.arange(n)[None, :] - torch.arange(n)[:, None]
        bias = self.slopes[:, None, None] * distance.clamp(max=0)
        scores = q @ k.mT * k.shape[-1] ** -0.5 + bias
        scores = scores + torch.full((n, n), -torch.inf).triu(1)
        x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))
        return x + self.ff(self.ln2(x))


class Alibi(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.blocks = nn.Embedding(12, 16), nn.Sequential(AlibiBlock(), AlibiBlock())
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 12)

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.embed(ids))))


class ParallelBlock(nn.Module):
    """Attention and MLP read one norm, and both are added at once; half of each head is rotated."""

    def __init__(self, d=16, heads=2):
        super().__init__()
        self.ln, self.heads = nn.LayerNorm(d), heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.fc_in, self.fc_out = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def rotate(self, x):
        turned, kept = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        angle = torch.arange(x.shape[-2])[:, None] / 100 ** (torch.arange(turned.shape[-1] // 2) / 2)
        a, b = turned[..., ::2], turned[..., 1::2]
        turned = torch.stack([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=-1).flatten(-2)
        return torch.cat([turned, kept], dim=-1)

    def forward(self, x):
        h = self.ln(x)
        q, k, v = (
            p(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        z = F.scaled_dot_product_attention(self.rotate(q), self.rotate(k), v, is_causal=True)
        return self.out_proj(z.transpose(1, 2).flatten(2)) + self.fc_out(F.gelu(self.fc_in(h))) + x


class Parallel(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.h = nn.Embedding(12, 16), nn.ModuleList([ParallelBlock(), ParallelBlock()])
        self.ln_f, self.lm_head = nn.LayerNorm(16), nn.Linear(16, 12)

    def forward(self, ids):
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class SelectiveScan(nn.Module):
    """A state space with gates, step by step."""

    def __init__(self, d=16, n=4):
        super().__init__()
        inner = 2 * d
        self.in_proj = nn.Linear(d, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, 3, groups=inner, padding=2)
        self.x_proj = nn.Linear(inner, 1 + 2 * n, bias=False)
        self.dt_proj = nn.Linear(1, inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, n + 1).float()).repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, d, bias=False)
        self.n = n

    def forward(self, x):
        u, gate = self.in_proj(x).chunk(2, dim=-1)
        u = F.silu(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        delta, B, C = self.x_proj(u).split([1, self.n, self.n], dim=-1)
        delta, A = F.softplus(self.dt_proj(delta)), -torch.exp(self.A_log)
        state, ys = torch.zeros(x.shape[0], u.shape[-1], self.n, dtype=x.dtype), []
        for t in range(x.shape[1]):
            state = (
                torch.exp(delta[:, t, :, None] * A) * state + delta[:, t, :, None] * B[:, t, None] * u[:, t, :, None]
            )
            ys.append((state * C[:, t, None]).sum(-1))
        y = torch.stack(ys, dim=1) + u * self.D
        return self.out_proj(y * F.silu(gate))


class StateSpace(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 16)
        self.layers = nn.ModuleList([nn.ModuleDict({"norm": RMSNorm(16), "mixer": SelectiveScan()}) for _ in range(2)])
        self.norm_f, self.lm_head = RMSNorm(16), nn.Linear(16, 12, bias=False)
        self.lm_head.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, ids):
        x = self.embedding(ids)
        for layer in self.layers:
            x = x + layer["mixer"](layer["norm"](x))
        return self.lm_head(self.norm_f(x))


class CausalConv(nn.Module):
    """Dilated convolutions that look back only."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        self.convs = nn.ModuleList([nn.Conv1d(16, 32, 3, dilation=2**i) for i in range(3)])
        self.out = nn.Linear(16, 12)

    def forward(self, ids):
        x = self.embed(ids).transpose(1, 2)
        for i, conv in enumerate(self.convs):
            a, b = conv(F.pad(x, (2 * 2**i, 0))).chunk(2, dim=1)
            x = x + torch.tanh(a) * torch.sigmoid(b)
        return self.out(x.transpose(1, 2))


class SharedBlock(nn.Module):
    """One block, called several times."""

    def __init__(self, times=3):
        super().__init__()
        self.embed, self.pos, self.block, self.times = nn.Embedding(12, 16), nn.Embedding(16, 16), AlibiBlock(), times
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 12)

    def forward(self, ids):
        x = self.embed(ids) + self.pos(torch.arange(ids.shape[1]))
        for _ in range(self.times):
            x = self.block(x)
        return self.head(self.norm(x))


class NamedParts(nn.Module):
    """A decoder whose parts are named as in BERT: attention.self, attention.output, intermediate, output; norms come
    after the additions."""

    class Layer(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.query, self.key, self.value, self.dense = (nn.Linear(d, d) for _ in range(4))
            self.LayerNorm_1, self.LayerNorm_2 = nn.LayerNorm(d, eps=1e-12), nn.LayerNorm(d, eps=1e-12)
            self.intermediate, self.output = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
            self.dropout = nn.Dropout(0.1)

        def forward(self, hidden, mask):
            q, k, v = (
                w(hidden).view(*hidden.shape[:2], 2, -1).permute(0, 2, 1, 3) for w in (self.query, self.key, self.value)
            )
            scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1]) + mask
            probs = self.dropout(nn.functional.softmax(scores, dim=-1))
            context = torch.matmul(probs, v).permute(0, 2, 1, 3).contiguous().view(hidden.shape)
            hidden = self.LayerNorm_1(self.dropout(self.dense(context)) + hidden)
            return self.LayerNorm_2(self.dropout(self.output(F.gelu(self.intermediate(hidden)))) + hidden)

    def __init__(self):
        super().__init__()
        self.word_embeddings, self.position_embeddings = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.LayerNorm, self.dropout = nn.LayerNorm(16), nn.Dropout(0.1)
        self.layer = nn.ModuleList([NamedParts.Layer(16) for _ in range(2)])
        self.decoder = nn.Linear(16, 12)

    def forward(self, ids):
        n = ids.shape[1]
        seen = torch.arange(n)[None, :] <= torch.arange(n)[:, None]
        mask = (1.0 - seen.float()) * torch.finfo(torch.float32).min
        hidden = self.dropout(self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings(torch.arange(n))))
        for layer in self.layer:
            hidden = layer(hidden, mask)
        return self.decoder(hidden)


class WideNorm(nn.Module):
    """A norm over positions and width at once."""

    def __init__(self):
        super().__init__()
        self.embed, self.pos = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.block, self.head = AlibiBlock(), nn.Linear(16, 12)

    def forward(self, ids):
        x = self.block(self.embed(ids) + self.pos(torch.arange(ids.shape[1])))
        return self.head(F.layer_norm(x, x.shape[1:]))


class Plain(nn.Module):
    """Deep, without residuals and without norms."""

    def __init__(self, layers=8):
        super().__init__()
        self.embed, self.pos = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.layers = nn.ModuleList([PlainLayer() for _ in range(layers)])
        self.head = nn.Linear(16, 12)

    def forward(self, ids):
        x = self.embed(ids) + self.pos(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class PlainLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.ff1, self.ff2 = nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = (q @ k.mT / 4).masked_fill(torch.ones(x.shape[1], x.shape[1]).triu(1).bool(), -torch.inf)
        return self.ff2(torch.tanh(self.ff1(scores.softmax(-1) @ v)))
