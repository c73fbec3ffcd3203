"""Models that are no transformers, or not quite: the noise of a diffusion, joint embeddings, recurrences, few tokens."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.zoo.entry import V


class Denoiser(nn.Module):
    """The noise in a noisy signal, told how much there is (DDPM): a time, a scale and a shift, a way around."""

    def __init__(self, h=16):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(8, h), nn.SiLU(), nn.Linear(h, 2 * h))
        self.down, self.mid = nn.Conv1d(1, h, 3, padding=1), nn.Conv1d(h, h, 3, padding=1)
        self.pool, self.up = nn.AvgPool1d(2), nn.Upsample(scale_factor=2)
        self.norm, self.out = nn.GroupNorm(4, h), nn.Conv1d(2 * h, 1, 3, padding=1)

    def forward(self, x, t):
        args = t[:, None].float() * torch.exp(-math.log(1e4) * torch.arange(4) / 4)
        scale, shift = self.time(torch.cat([args.cos(), args.sin()], -1)).chunk(2, -1)
        around = F.silu(self.down(x))
        h = self.norm(self.mid(self.pool(around))) * (1 + scale[..., None]) + shift[..., None]
        return self.out(torch.cat([self.up(F.silu(h)), around], 1))


class Jepa(nn.Module):
    """Predicts what another encoder makes of the patches that it has not seen."""

    def __init__(self, d=8):
        super().__init__()
        self.patch, self.pos = nn.Conv2d(1, d, 2, 2), nn.Parameter(torch.randn(1, 4, d))
        self.context, self.target, self.predict = (
            nn.TransformerEncoderLayer(d, 2, 16, batch_first=True, dropout=0.0) for _ in range(3)
        )
        self.mask = nn.Parameter(torch.zeros(1, 1, d))

    def forward(self, image, keep):
        x = self.patch(image).flatten(2).mT + self.pos
        with torch.no_grad():
            goal = F.layer_norm(self.target(x), (8,))
        seen = self.context(x[:, keep])
        z = self.mask.expand(x.shape[0], x.shape[1], -1) + self.pos
        pred = self.predict(z.index_copy(1, keep, seen))
        hidden = torch.ones(x.shape[1], dtype=torch.bool)
        hidden[keep] = False
        return F.smooth_l1_loss(pred[:, hidden], goal[:, hidden])


class Rwkv(nn.Module):
    """Sums that fade, instead of attention."""

    def __init__(self, d=8):
        super().__init__()
        self.embed, self.head = nn.Embedding(V, d), nn.Linear(d, V)
        self.mix, self.decay, self.first = (nn.Parameter(torch.rand(*shape)) for shape in ((3, d), (d,), (d,)))
        self.r, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.shift = nn.ZeroPad2d((0, 0, 1, -1))

    def forward(self, ids):
        x = self.embed(ids)
        before = self.shift(x)
        r, k, v = (f(torch.lerp(before, x, m)) for f, m in zip((self.r, self.k, self.v), self.mix))
        num = den = torch.zeros_like(x[:, 0])
        outs, fade = [], (-self.decay.exp()).exp()
        for t in range(ids.shape[1]):
            now = torch.exp(self.first + k[:, t])
            outs.append((num + now * v[:, t]) / (den + now))
            num, den = num * fade + k[:, t].exp() * v[:, t], den * fade + k[:, t].exp()
        return self.head(x + self.o(torch.sigmoid(r) * torch.stack(outs, 1)))


class Alibi(nn.Module):
    """A bias by distance and a window, given to the fused call as a mask that is made right before it."""

    def __init__(self, d=8, n_heads=4, window=3):
        super().__init__()
        self.embed, self.qkv, self.o, self.head = (
            nn.Embedding(V, d),
            nn.Linear(d, 3 * d),
            nn.Linear(d, d),
            nn.Linear(d, V),
        )
        self.n_heads, self.window = n_heads, window
        self.register_buffer("slopes", 2 ** (-8 * torch.arange(1, n_heads + 1) / n_heads))

    def forward(self, ids):
        x = self.embed(ids)
        q, k, v = (t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        i = torch.arange(ids.shape[1])
        distance = i[:, None] - i
        bias = -self.slopes[:, None, None] * distance.abs()
        bias = torch.where((distance < 0) | (distance >= self.window), -torch.inf, bias)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.head(x + self.o(y.transpose(1, 2).flatten(2)))


class FewTokens(nn.Module):
    """Only some tokens go through each MLP (mixture of depths)."""

    def __init__(self, d=8, k=3):
        super().__init__()
        self.embed, self.k = nn.Embedding(V, d), k
        self.route = nn.ModuleList(nn.Linear(d, 1) for _ in range(2))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 16), nn.GELU(), nn.Linear(16, d)) for _ in range(2)
        )

    def forward(self, ids):
        x = self.embed(ids)
        for route, mlp in zip(self.route, self.mlp):
            share, places = route(x).squeeze(-1).topk(self.k, 1)
            at = places[..., None].expand(-1, -1, x.shape[-1])
            x = x.scatter_add(1, at, mlp(x.gather(1, at)) * torch.sigmoid(share)[..., None])
        return F.linear(x, self.embed.weight)


class Perceiver(nn.Module):
    """A few learned vectors read the text, and the text reads what they have become (Jaegle et al. 2021)."""

    class Reads(nn.Module):
        def __init__(self, d, d_read, d_inner=8):
            super().__init__()
            self.norm, self.norm_read = nn.LayerNorm(d), nn.LayerNorm(d_read)
            self.q, self.kv = nn.Linear(d, d_inner), nn.Linear(d_read, 2 * d_inner)
            self.out, self.scale = nn.Linear(d_inner, d), d_inner**-0.5

        def forward(self, x, read):
            q, (k, v) = self.q(self.norm(x)), self.kv(self.norm_read(read)).chunk(2, -1)
            scores = torch.einsum("b i d, b j d -> b i j", q, k) * self.scale
            pattern = scores.softmax(-1)
            return self.out(torch.einsum("b i j, b j d -> b i d", pattern, v))

    def __init__(self, d=8, d_latent=6):
        super().__init__()
        self.embed, self.latents = nn.Embedding(V, d), nn.Parameter(torch.randn(3, d_latent))
        self.reads = self.Reads(d_latent, d)
        self.layers = nn.ModuleList(self.Reads(d_latent, d_latent) for _ in range(2))
        self.is_read = self.Reads(d, d_latent)
        self.ff = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 16), nn.GELU(), nn.Linear(16, d))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, V)

    def forward(self, ids):
        x = self.embed(ids)
        z = self.latents.expand(len(ids), -1, -1)
        z = z + self.reads(z, x)
        for layer in self.layers:
            z = z + layer(z, z)
        x = x + self.is_read(x, z)
        x = x + self.ff(x)
        return self.head(self.norm(x))


class HeadsByVmap(nn.Module):
    """Attention is written for one head of one text; `torch.func` does the rest."""

    def __init__(self, d=8, n_heads=2):
        super().__init__()
        self.embed, self.qkv = nn.Embedding(V, d), nn.Parameter(torch.randn(3, n_heads, d, d // n_heads))
        self.up, self.down = nn.Parameter(torch.randn(d, 16)), nn.Parameter(torch.randn(16, d))
        self.register_buffer("slopes", 0.5 ** torch.arange(1, n_heads + 1))

    def forward(self, ids):
        x = self.embed(ids)
        far = torch.arange(ids.shape[1])[:, None] - torch.arange(ids.shape[1])

        def head(q, k, v, slope):
            scores = q @ k.mT / q.shape[-1] ** 0.5 - slope * far
            pattern = scores.masked_fill(far < 0, -torch.inf).softmax(-1)
            return pattern @ v

        q, k, v = torch.einsum("bpd,shde->sbhpe", x, self.qkv)
        z = torch.vmap(torch.vmap(head), in_dims=(0, 0, 0, None))(q, k, v, self.slopes)
        x = x + z.transpose(1, 2).flatten(2)
        x = x + (x @ self.up).relu() @ self.down
        return x @ self.embed.weight.T


class SharedBias(nn.Module):
    """The bias of relative positions is made by the first layer, which hands it on to the next (Raffel et al. 2020)."""

    def __init__(self, d=8, n_heads=2, n_layers=2):
        super().__init__()
        self.embed, self.near = nn.Embedding(V, d), nn.Embedding(9, n_heads)
        self.layers = nn.ModuleList(nn.Linear(d, 3 * d, bias=False) for _ in range(n_layers))
        self.outs = nn.ModuleList(nn.Linear(d, d, bias=False) for _ in range(n_layers))
        self.ups = nn.ModuleList(nn.Linear(d, 2 * d, bias=False) for _ in range(n_layers))
        self.downs = nn.ModuleList(nn.Linear(2 * d, d, bias=False) for _ in range(n_layers))
        self.n_heads = n_heads

    def forward(self, ids):
        x, bias = self.embed(ids), None
        for qkv, out, up, down in zip(self.layers, self.outs, self.ups, self.downs, strict=True):
            q, k, v = (t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for t in qkv(x).chunk(3, -1))
            scores = q @ k.mT
            if bias is None:
                places = torch.arange(ids.shape[1])
                bias = self.near((places - places[:, None]).clamp(-4, 4) + 4).permute(2, 0, 1)[None]
            scores += bias
            x = x + out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
            x = x + down(up(x).relu())
        return x @ self.embed.weight.T


class Universal(nn.Module):
    """One layer for all depths, until each token has halted (Graves 2016)."""

    def __init__(self, d=8):
        super().__init__()
        self.embed, self.halt = nn.Embedding(V, d), nn.Linear(d, 1)
        self.att = nn.MultiheadAttention(d, 2, batch_first=True)
        self.norm_1, self.norm_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.ff = nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, d))

    def forward(self, ids):
        x = self.embed(ids)
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        left, out = torch.ones(*ids.shape, 1), torch.zeros_like(x)
        for depth in range(3):
            h = self.norm_1(x)
            x = x + self.att(h, h, h, attn_mask=mask, need_weights=False)[0]
            x = x + self.ff(self.norm_2(x))
            p = torch.minimum(torch.sigmoid(self.halt(x)), left) if depth < 2 else left
            out, left = out + p * x, left - p
        return out @ self.embed.weight.T
