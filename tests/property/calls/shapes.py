"""The same numbers elsewhere: views, parts, joins, look-ups, scattering; and tensors from nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.property.calls.given import Call


def put(x: torch.Tensor, index: object, value: object) -> torch.Tensor:
    x[index] = value  # type: ignore[index, assignment]
    return x


def short(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    return F.embedding(ids, table, max_norm=1.0) + table.sum()


CALLS: dict[str, Call] = {
    "view": lambda x: (x.view(6, 4), x.view(-1), x.reshape(2, -1), torch.reshape(x.mT, (8, 3)), x.ravel(),
        x.view_as(x)),
    "flatten": lambda x: (x.flatten(), x.flatten(1), torch.flatten(x, 0, -2), x.unflatten(-1, (2, -1))),
    "squeeze": lambda x: (x[:1].squeeze(), x[:, :1].squeeze(-2), x.unsqueeze(-1).squeeze((-1,)), x.unsqueeze(-2)),
    "transpose": lambda x, square, z: (x.transpose(-1, 0), x.mT, square.T, square.t(), z.mT, x.swapaxes(1, 2)),
    "permute": lambda x: (x.permute(2, 0, 1), torch.permute(x, (-1, 0, 1)), x.movedim(0, -1),
        torch.moveaxis(x, (0, 1), (1, 2))),
    "expand": lambda x, vector: (vector.expand(2, 4), x[:1].expand(3, -1, -1), torch.broadcast_to(vector, (2, 3, 4)),
        *torch.broadcast_tensors(vector, x)),
    "repeat": lambda x, whole: (x.repeat(1, 2, 1), whole.tile(2), torch.tile(x, (1, 2)), x.repeat_interleave(2, -1),
        x.repeat_interleave(torch.tensor([0, 1, 2]), dim=1)),
    "roll": lambda x: (x.roll(1), x.roll(-1, -1), torch.roll(x, (1, 2), (0, -1))),
    "flip": lambda x, square: (x.flip(-1), torch.flip(x, (0, 1)), x.fliplr(), square.rot90(),
        torch.rot90(x, -1, (1, 2))),
    "narrow": lambda x: (x.narrow(-1, 1, 2), x.select(-1, -2), x[0].diagonal(), x.diagonal(1, -2, -1)),
    "unfold": lambda x: (x.unfold(-1, 2, 1), x.unfold(1, 2, 2), x.as_strided((2, 3), (1, 2), 3)),
    "diag": lambda vector, square: (torch.diag(vector, 1), square.diag(-1), torch.diag_embed(square, -1),
        torch.diagflat(vector)),
    "tril": lambda square, x: (square.tril(), torch.triu(x, -1), square.tril(2)),
    "split": lambda x: (*x.split(2, -1), *x.split([1, 2], 1), *torch.chunk(x, 3, dim=-1), *x.unbind(-1),
        *torch.tensor_split(x, 3, -1), *x.hsplit(3)),
    "cat": lambda x, y, whole: (torch.cat([x, y], -1), torch.cat((x[0], whole)), torch.stack([x, y], -2),
        torch.hstack((x, y)), torch.vstack([x, y]), torch.dstack([x, y])),
    "column_stack": lambda vector, square: (torch.column_stack([vector, square]), torch.block_diag(square, vector)),
    "meshgrid": lambda vector: (*torch.meshgrid(vector, vector[:2], indexing="ij"),
        *torch.meshgrid(vector, vector[:3], indexing="xy"),
        torch.cartesian_prod(vector, vector[:2])),
    "pad_sequence": lambda x: torch.nn.utils.rnn.pad_sequence([x[0], x[1, :2]], batch_first=True, padding_value=-1.0),
    "getitem": lambda x, ids, mask: (x[0], x[..., -1], x[:, 1:, ::2], x[None, :, 0], x[mask], x[ids % 2, ids % 3],
        x[-1, :, ids[0]]),
    "setitem": lambda x, y, mask: (put(x.clone(), (slice(None), 1), 5.0), put(x.clone(), mask, y[mask]),
        put(x.clone(), 0, y[0, 0])),
    "gather": lambda x, ids: (x.gather(-1, ids[..., None]), torch.gather(x, 1, ids[..., None] % 3),
        x.take_along_dim(ids[..., None], -1)),
    "index_select": lambda x, ids: (x.index_select(-1, ids[0]), torch.take(x, ids), x.masked_select(x > 0)),
    "nonzero": lambda x, mask: ((x > 0).nonzero(), *mask.nonzero(as_tuple=True), torch.argwhere(x[0] > 0)),
    "embedding": lambda ids, tall: (F.embedding(ids, tall), F.embedding(ids, tall, padding_idx=0),
        short(ids, tall.clone())),
    "embedding_bag": lambda ids, tall: (F.embedding_bag(ids, tall), F.embedding_bag(ids, tall, mode="max"),
        F.embedding_bag(ids.flatten(), tall, torch.tensor([0, 2, 2]), mode="sum",
        per_sample_weights=torch.arange(6.0))),
    "one_hot": lambda ids: (F.one_hot(ids), F.one_hot(ids, num_classes=6)),
    "scatter": lambda x, y, ids: (x.scatter(1, ids[..., None] % 3, y), x.scatter(-1, ids[..., None], 7.0),
        x.clone().scatter_(1, ids[:, None] % 3, y[..., :3])),
    "scatter_add": lambda x, y, ids: (x.scatter_add(-1, ids[..., None].expand(-1, -1, 2), y),
        torch.scatter_add(x, 1, ids[:, :, None] % 3, y)),
    "scatter_reduce": lambda x, y, ids: tuple(x.scatter_reduce(-1, ids[..., None].expand(-1, -1, 3), y, how,
        include_self=own)
        for how in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)),
    "index_add": lambda x, y, whole: (x.index_add(1, torch.tensor([0, 2, 0]), y),
        torch.index_add(x, -1, torch.tensor([3, 3]), y[..., :2], alpha=-2),
        whole.index_add(0, torch.tensor([1, 1]), whole[:2])),
    "index_copy": lambda x, y: (x.index_copy(1, torch.tensor([2, 0]), y[:, :2]),
        x.index_fill(-1, torch.tensor([0, 3]), 9.0)),
    "index_put": lambda x, ids: (x.index_put((ids % 2, ids % 3), torch.tensor(1.5)), x.masked_scatter(x > 0, -x)),
    "select_scatter": lambda x, y: (x.select_scatter(y[:, 0], 1, 2), x.slice_scatter(y[:, :2], 1, 1)),
    "bincount": lambda ids: (ids.flatten().bincount(), torch.bincount(ids.flatten(), torch.arange(6.0), minlength=6)),
    "pad": lambda x, image, whole: (F.pad(x, (1, 2)), F.pad(x, (0, 0, 1, -1), value=-3.0),
        F.pad(image, (1, 2, 0, 1), mode="reflect"),
        F.pad(image, (2, 1, 1, 1), mode="replicate"), F.pad(image, (2, 1, 1, 0), mode="circular"),
        F.pad(whole, (-1, 1))),
    "pixel_shuffle": lambda image: (F.pixel_shuffle(image, 2), F.pixel_unshuffle(image[..., :4, :], 2),
        F.channel_shuffle(image, 2)),
    "clone": lambda x: (x.clone(), x.mT.contiguous(), x.detach()),
    "arange": lambda x: (torch.arange(4), torch.arange(1, 8, 3), torch.arange(0.0, 1.0, 0.3),
        torch.linspace(-1, 2, 5), torch.logspace(0, 1, 3)),
    "zeros": lambda x: (torch.zeros(2, 3), torch.ones((2,)), torch.zeros_like(x), torch.ones_like(x), x.new_zeros(2),
        x.new_ones((2, 1))),
    "full": lambda x: (torch.full((2, 2), -1.5), torch.full_like(x, 3), x.new_full((2,), 7.0), torch.eye(3),
        torch.tensor([[1, 2], [3, 4]])),
    "tril_indices": lambda x: (torch.tril_indices(3, 4), torch.triu_indices(3, 3, 1), torch.hann_window(6)),
    "atleast_2d": lambda vector, number: (torch.atleast_1d(number), torch.atleast_2d(vector), torch.atleast_3d(vector)),
    "dsplit": lambda x: (*torch.dsplit(x, 2), *x.vsplit(2), x.flipud(), x.data),
    "mH": lambda x, square, z: (x.mH, square.H, z.resolve_conj(), x.resolve_neg()),
    "index_reduce": lambda x, y: (x.index_reduce(1, torch.tensor([0, 0, 2]), y, "mean"),
        torch.index_reduce(x, -1, torch.tensor([3, 3]), y[..., :2], "amax", include_self=False)),
    "new_tensor": lambda x: (x.new_tensor([[1.5, 2.0]]), torch.hamming_window(5, periodic=False)),
    "pack_padded_sequence": lambda x: torch.nn.utils.rnn.pad_packed_sequence(
        torch.nn.utils.rnn.pack_padded_sequence(x, [3, 1], batch_first=True), batch_first=True, padding_value=-2.0),
    "index_put_": lambda x, ids, y: (x.clone().index_put_((ids % 2, ids % 3), y[0, 0, 0], accumulate=True),
        x.index_put((torch.tensor([0, 0]), torch.tensor([1, 1])), y[0, :2], accumulate=True)),
    "repeat_interleave": lambda whole: torch.repeat_interleave(whole[0].abs()),
}  # fmt: skip
