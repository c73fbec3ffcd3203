"""Products, convolutions, pooling, images, spectra, and whole layers in one call."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.property.calls.given import Call

torch.manual_seed(0)
CONV = nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular")
ATTENDS, ATTENDS_MORE = (
    nn.MultiheadAttention(4, 2, batch_first=True),
    nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True),
)
ATTENDS_FAST = nn.MultiheadAttention(4, 2, batch_first=True).eval()
RNN_RELU, RNN_TANH_CELL = nn.RNN(4, 3, nonlinearity="relu"), nn.RNNCell(4, 3)
ENCODES = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
ENCODES_FIRST = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, norm_first=True, activation="gelu").eval()
LSTM, GRU, RNN = nn.LSTM(4, 3, batch_first=True), nn.GRU(4, 3), nn.RNN(4, 3)
LSTM_CELL, GRU_CELL, RNN_CELL = nn.LSTMCell(4, 3), nn.GRUCell(4, 3), nn.RNNCell(4, 3, nonlinearity="relu")


CALLS: dict[str, Call] = {
    "matmul": lambda x, tall, vector, z, whole: (x @ tall, vector @ tall, x @ vector, z @ z.mT, whole @ whole.mT,
        x.bmm(x.mT),
        torch.mv(tall.T, vector), torch.dot(vector, vector), torch.inner(x, vector)),
    "linear": lambda x, tall, brain: (F.linear(x, tall.T), F.linear(x, tall.T, tall[0]), F.linear(brain, brain)),
    "addmm": lambda square, tall, vector: (torch.addmm(tall, square, tall, beta=0.5, alpha=2),
        torch.addmv(vector, square, vector)),
    "baddbmm": lambda x, y: (torch.baddbmm(x[:, :, :3], x, y.mT, beta=0.3, alpha=-1),
        torch.baddbmm(x[0, :, :3], x, y.mT, beta=0)),
    "outer": lambda vector, w: (torch.outer(vector, vector[:2]), torch.outer(w, w)),
    "einsum": lambda x, y, square, tall, vector, z: (torch.einsum("bik,bjk->bij", x, y),
        torch.einsum("...i,ij", x, tall),
        torch.einsum("ii->i", square), torch.einsum("bij->", x), torch.einsum("bij,jk,k->bi", x, square, vector),
        torch.einsum("ij,kj->ik", z, z), torch.einsum("b i j, b i j -> b", x, y)),
    "tensordot": lambda x, y, square: (torch.tensordot(x, y, dims=([1, 2], [1, 2])),
        torch.tensordot(x, square, dims=1)),
    "bilinear": lambda x, y: F.bilinear(x, y[..., :3], torch.ones(2, 4, 3).cumsum(-1), torch.tensor([1.0, -1.0])),
    "conv1d": lambda sound: (F.conv1d(sound, sound[:1, :, :3]), F.conv1d(sound, sound[:2, :2, :3], sound[0, :2, 0],
        stride=2,
        padding=1, dilation=2, groups=2), F.conv1d(sound[0], sound[:2, :, :3], padding="same")),
    "conv2d": lambda image: (F.conv2d(image, image[:, :, :2, :3]), F.conv2d(image,
        image[:, :1, :3, :3].repeat(2, 1, 1, 1), None, (2, 1), (1, 2),
        groups=4), CONV(image)),
    "conv3d": lambda volume: F.conv3d(volume, volume[:, :, :2, :2, :2], stride=(1, 1, 2), padding=1),
    "conv_transpose1d": lambda sound: (F.conv_transpose1d(sound, sound.permute(1, 0, 2)[:, :, :3]),
        F.conv_transpose1d(sound, sound.permute(1, 0, 2)[:, :1, :3], None, stride=2, padding=1, output_padding=1,
        groups=2, dilation=2)),
    "conv_transpose2d": lambda image: F.conv_transpose2d(image, image.transpose(0, 1)[:, :, :2, :3], torch.ones(2),
        stride=(2, 1), padding=(0, 1)),
    "max_pool1d": lambda sound: (F.max_pool1d(sound, 2), *F.max_pool1d(sound, 3, stride=2, padding=1,
        return_indices=True)),
    "max_pool2d": lambda image: (F.max_pool2d(image, 2), *nn.MaxPool2d(3, 2, 1, return_indices=True)(image),
        F.max_pool2d(image, (2, 3), stride=1, dilation=2), F.max_pool2d(image, 3, ceil_mode=True)),
    "max_pool3d": lambda volume: F.max_pool3d(volume, 2),
    "max_unpool2d": lambda image: F.max_unpool2d(*F.max_pool2d(image, 2, return_indices=True), 2),
    "avg_pool1d": lambda sound: (F.avg_pool1d(sound, 3, stride=2, padding=1, count_include_pad=False),
        F.avg_pool1d(sound, 2, ceil_mode=True)),
    "avg_pool2d": lambda image: (F.avg_pool2d(image, 2), F.avg_pool2d(image, (3, 2), stride=1, padding=1,
        divisor_override=5),
        F.avg_pool2d(image, 3, 2, 1, ceil_mode=True), F.lp_pool2d(image.abs(), 2, 2)),
    "adaptive_avg_pool1d": lambda sound: (F.adaptive_avg_pool1d(sound, 3),
        *F.adaptive_max_pool1d(sound, 2, return_indices=True)),
    "adaptive_avg_pool2d": lambda image: (F.adaptive_avg_pool2d(image, (3, 4)),
        F.adaptive_avg_pool2d(image, (None, 1)), F.adaptive_avg_pool2d(image[0], 1)),
    "adaptive_max_pool2d": lambda image: (F.adaptive_max_pool2d(image, 3),
        *F.adaptive_max_pool2d(image, (2, 4), return_indices=True)),
    "interpolate": lambda image, sound: (F.interpolate(image, scale_factor=2),
        F.interpolate(image, (7, 3), mode="bilinear"),
        F.interpolate(image, (7, 9), mode="bilinear", align_corners=True),
        F.interpolate(image, scale_factor=1.5, mode="bicubic"),
        F.interpolate(image, (2, 4), mode="area"), F.interpolate(sound, 5, mode="linear"),
        F.interpolate(image, (3, 8), mode="nearest-exact")),
    "grid_sample": lambda image, x: (F.grid_sample(image, x[..., :2][:, None] * 2, align_corners=False),
        F.grid_sample(image, x[..., :2][:, None] * 2, padding_mode="border", align_corners=True),
        F.grid_sample(image, x[..., :2][:, None] * 2, mode="nearest", padding_mode="reflection", align_corners=False),
        F.affine_grid(x[:, :2, :3], [2, 1, 3, 2], align_corners=False)),
    "fold": lambda image: (F.fold(F.unfold(image, 2, stride=(1, 2)), (5, 6), 2, stride=(1, 2)),
        F.unfold(image, (2, 3), dilation=2, padding=1)),
    "fft": lambda x, z, sound: (torch.fft.fft(x), torch.fft.ifft(z, dim=0), torch.fft.rfft(sound), torch.fft.irfft(z),
        torch.fft.fft2(x),
        torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real, torch.fft.fftshift(x, -1)),
    "scaled_dot_product_attention": lambda x, y: (F.scaled_dot_product_attention(x.clone(), y.clone(), x.clone(),
        is_causal=True),
        F.scaled_dot_product_attention(x.clone(), y.clone(), x.clone(), attn_mask=torch.ones(3, 3).tril(-1).bool())),
    "multi_head_attention_forward": lambda x, y: (*ATTENDS(x, y, y), *ATTENDS_MORE(x, y, y, average_attn_weights=False,
        key_padding_mask=torch.tensor([[False, True], [False, False], [True, True]])[:, :2]),
        ATTENDS(x, x, x, need_weights=False, attn_mask=torch.ones(3, 3).triu(1).bool(), is_causal=True)[0]),
    "transformer_encoder_layer": lambda x: (ENCODES(x), ENCODES_FIRST(x)),
    "lstm": lambda x: LSTM(x),
    "gru": lambda x: GRU(x),
    "rnn_tanh": lambda x: RNN(x),
    "lstm_cell": lambda x: LSTM_CELL(x[0]),
    "gru_cell": lambda x: GRU_CELL(x[0]),
    "rnn_relu_cell": lambda x: RNN_CELL(x[0]),
    "conv_transpose3d": lambda volume: F.conv_transpose3d(volume, volume.transpose(0, 1)[:, :, :2, :2, :1], stride=2),
    "avg_pool3d": lambda volume: (F.avg_pool3d(volume, 2, 1), F.adaptive_avg_pool3d(volume, (2, 1, 3)),
        *F.adaptive_max_pool3d(volume, 2, return_indices=True), F.lp_pool3d(volume.abs(), 3, 2)),
    "max_unpool1d": lambda sound, volume: (F.max_unpool1d(*F.max_pool1d(sound, 2, return_indices=True), 2),
        F.max_unpool3d(*F.max_pool3d(volume[..., :2, :], 2, return_indices=True), 2), F.lp_pool1d(sound.abs(), 2, 3)),
    "fft_rfft2": lambda x, z: (torch.fft.rfft2(x), torch.fft.fftn(x), torch.fft.rfftn(x[0]), torch.fft.ifft2(z),
        torch.fft.ifftn(z), torch.fft.ifftshift(z)),
    "vdot": lambda vector: torch.vdot(vector, vector.flip(0)),
    "native_multi_head_attention": lambda x: ATTENDS_FAST(x, x, x),
    "rnn_relu": lambda x: RNN_RELU(x),
    "rnn_tanh_cell": lambda x: RNN_TANH_CELL(x[0]),
    "cross": lambda x, y: (torch.linalg.cross(x[..., :3], y[..., :3]), torch.cross(x[0], y[0], dim=0)),
    "kron": lambda square, column: (torch.kron(square, column), torch.kron(square[:2], square[0])),
    "addbmm": lambda x, square: (torch.addbmm(square[:3, :3], x, x.mT, beta=0.5, alpha=2),
        square.addr(square[0], square[1])),
    "linalg_vecdot": lambda x, y, vector: (torch.linalg.vecdot(x, y), torch.linalg.vecdot(x, y, dim=0),
        torch.linalg.vecdot(x, vector)),
    "stft": lambda sound: (torch.stft(sound[0], 4, return_complex=True, window=torch.hann_window(4)),
        torch.stft(sound[:, 0], 6, 2, 4, torch.hann_window(4), center=False, return_complex=True, onesided=False)),
}  # fmt: skip
