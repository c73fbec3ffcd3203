"""Along axes: sums, means, norms, orders, running sums, softmax, and losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.property.calls.given import Call


def twice(image: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """What is kept of the first batch is met by the second."""
    first = F.batch_norm(image, mean, variance, training=True, momentum=0.3)
    return F.batch_norm(first * 2, mean, variance, training=True) + mean.sum() + variance.sum()


CALLS: dict[str, Call] = {
    "sum": lambda x, whole, mask, tiny, z: (x.sum(), x.sum(-1), x.sum((0, -1), keepdim=True), whole.sum(0),
        mask.sum(-1), tiny.sum(), z.sum(0), x.sum(dim=1, dtype=torch.float64), x.nansum(-1)),
    "mean": lambda x, z, brain: (x.mean(), x.mean((-1, 0)), x.mean(1, keepdim=True), z.mean(-1), brain.mean(0),
        x.nanmean(-1)),
    "prod": lambda x, whole: (x.prod(), x.prod(-2, keepdim=True), whole.prod(1)),
    "var": lambda x: (x.var(), x.var(-1, unbiased=False), x.var((0, 2), correction=0, keepdim=True)),
    "std": lambda x: (x.std(), x.std(1), x.std(dim=-1, correction=2)),
    "var_mean": lambda x: (*torch.var_mean(x, dim=-1, correction=0), *torch.std_mean(x, 1, keepdim=True)),
    "max": lambda x, whole: (x.max(), *x.max(-1), *whole.max(dim=0, keepdim=True), torch.max(x, x.flip(0))),
    "min": lambda x: (x.min(), *x.min(1), x.amin((0, 1)), *torch.aminmax(x, dim=-1)),
    "amax": lambda x, brain: (x.amax(), x.amax((-1, 0), keepdim=True), brain.amax(0)),
    "argmax": lambda x, whole: (x.argmax(), x.argmax(-1), whole.argmin(0, keepdim=True), (whole * 0).argmax(-1)),
    "all": lambda x, mask, whole: (mask.all(), mask.any(-1), (x > 0).all(dim=1, keepdim=True), whole.any(0),
        whole.count_nonzero(-1), torch.any(x > 9)),
    "median": lambda x, whole: (x.median(), *x.median(-1), *whole.median(0, keepdim=True), *x.nanmedian(1),
        *whole.mode(0)),
    "quantile": lambda x, vector: (x.quantile(0.3), torch.quantile(x, 0.7, dim=-1),
        x.quantile(vector.sigmoid(), dim=1)),
    "kthvalue": lambda x, whole: (*x.kthvalue(2), *whole.kthvalue(1, dim=0, keepdim=True)),
    "topk": lambda x, whole: (*x.topk(2), *torch.topk(x, 2, dim=1, largest=False), *whole.topk(3, sorted=False)),
    "sort": lambda x, whole: (*x.sort(), *torch.sort(whole, dim=0, descending=True), *x.sort(stable=True, dim=1)),
    "argsort": lambda x: (x.argsort(), torch.argsort(x, dim=1, descending=True), x.msort()),
    "cumsum": lambda x, whole, tiny: (x.cumsum(-1), whole.cumsum(0), tiny.cumsum(1), x.cumsum(1, dtype=torch.float64)),
    "cumprod": lambda x, whole: (x.cumprod(1), whole.cumprod(-1)),
    "cummax": lambda x, whole: (*x.cummax(1), *whole.cummin(-1)),
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "diff": lambda x, whole: (x.diff(), torch.diff(whole, dim=0)),
    "logsumexp": lambda x: (x.logsumexp(-1), torch.logsumexp(x, (0, 1), keepdim=True), (x * 300).logsumexp(1)),
    "softmax": lambda x, brain, half: (x.softmax(-1), F.softmax(x, dim=1), torch.softmax(half, 0), brain.softmax(-1),
        F.softmax(x, -1, dtype=torch.float64), F.softmin(x, dim=-1)),
    "log_softmax": lambda x: (x.log_softmax(-1), F.log_softmax(x, dim=0)),
    "norm": lambda x, z: (x.norm(), x.norm(dim=-1), x.norm(p=1, dim=1, keepdim=True), torch.norm(x, p=float("inf")),
        x.norm(3, (0, 2)), z.norm(dim=0), torch.linalg.norm(x), torch.linalg.vector_norm(x, ord=0, dim=-1)),
    "normalize": lambda x, image: (F.normalize(x), F.normalize(x, dim=-1), F.normalize(x, p=1.0, dim=0),
        F.normalize(x * 0)),
    "layer_norm": lambda x, vector, brain: (F.layer_norm(x, (4,)), F.layer_norm(x, (3, 4), eps=0.1),
        F.layer_norm(x, [4], vector, vector), F.layer_norm(brain, (4,))),
    "_weight_norm": lambda x, tall, vector, number: (
        torch._weight_norm(tall, vector[:, None]), torch._weight_norm(tall, tall[:1], 1),
        torch._weight_norm(x, number, -1), torch._weight_norm(x, x[:, :1, :1])),
    "rms_norm": lambda x, vector: (F.rms_norm(x, (4,)), F.rms_norm(x, (4,), vector, 0.01)),
    "batch_norm": lambda x, image, vector, positive: (
        F.batch_norm(image, vector, vector.abs() + 0.5, weight=vector, bias=vector),
        F.batch_norm(x.mT, vector.clone(), vector.abs(), training=True, momentum=0.3),
        F.batch_norm(x[0], None, None, None, vector, True), twice(image, vector.clone(), vector.abs())),
    "group_norm": lambda image, sound, vector: (F.group_norm(image, 2), F.group_norm(sound, 4, vector, vector,
        eps=0.1)),
    "instance_norm": lambda image, vector: (F.instance_norm(image), F.instance_norm(image, weight=vector, bias=vector),
        F.instance_norm(image, vector, vector.abs(), use_input_stats=False)),
    "local_response_norm": lambda image: (F.local_response_norm(image, 2),
        F.local_response_norm(image, 3, alpha=0.5, k=2.0)),
    "cdist": lambda x, y: (torch.cdist(x, y), torch.cdist(x, y[:1], p=1.0), torch.cdist(x, y, p=float("inf"))),
    "pairwise_distance": lambda x, y: (F.pairwise_distance(x, y), F.pairwise_distance(x, y, p=1.0, keepdim=True),
        torch.dist(x, y, 3)),
    "cosine_similarity": lambda x, y, vector: (F.cosine_similarity(x, y), F.cosine_similarity(x, vector, dim=-1)),
    "searchsorted": lambda x, vector: (torch.searchsorted(vector.sort()[0], x),
        torch.bucketize(x, vector.sort()[0], right=True)),
    "isin": lambda ids: (torch.isin(ids, torch.tensor([1, 3])), *torch.unique(ids, return_inverse=True,
        return_counts=True)),
    "cross_entropy": lambda square, ids, share, x: (F.cross_entropy(square, ids.flatten()[:4]),
        F.cross_entropy(x.mT, ids, reduction="none", label_smoothing=0.1),
        F.cross_entropy(square, square.softmax(-1).flip(0), reduction="sum"),
        F.cross_entropy(square, torch.tensor([0, -100, 3, 1]), weight=square[0].abs())),
    "nll_loss": lambda x, ids: (F.nll_loss(x.mT.log_softmax(1), ids), F.nll_loss(x[0], ids[0], reduction="none")),
    "mse_loss": lambda x, y: (F.mse_loss(x, y), F.mse_loss(x, y, reduction="none"), F.l1_loss(x, y, reduction="sum")),
    "smooth_l1_loss": lambda x, y: (F.smooth_l1_loss(x, y, beta=0.5), F.smooth_l1_loss(x, y, reduction="none"),
        F.huber_loss(x, y, delta=0.5), F.huber_loss(x, y, reduction="sum")),
    "binary_cross_entropy": lambda share, y, positive: (F.binary_cross_entropy(share, y.sigmoid()),
        F.binary_cross_entropy(share, (y > 0).float(), weight=positive, reduction="none")),
    "binary_cross_entropy_with_logits": lambda x, y, vector: (F.binary_cross_entropy_with_logits(x * 9, y.sigmoid()),
        F.binary_cross_entropy_with_logits(x, (y > 0).float(), pos_weight=vector.abs(), reduction="none")),
    "kl_div": lambda x, y: (F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction="batchmean"),
        F.kl_div(x, y.log_softmax(-1), log_target=True, reduction="sum"),
        F.kl_div(x, (y > 0).float(), reduction="none")),
    "poisson_nll_loss": lambda x, positive: (F.poisson_nll_loss(x, positive * 3, full=True),
        F.gaussian_nll_loss(x, positive, positive, reduction="none"), F.soft_margin_loss(x, x.sign()),
        F.hinge_embedding_loss(x, x.sign(), margin=0.7)),
    "triplet_margin_loss": lambda x, y, positive: (F.triplet_margin_loss(x[0], y[0], positive[0], swap=True),
        F.triplet_margin_loss(x, y, positive, margin=3.0, p=1, reduction="none"),
        F.margin_ranking_loss(x, y, y.sign(), margin=0.2)),
    "cosine_embedding_loss": lambda x, y: (F.cosine_embedding_loss(x[0], y[0], torch.tensor([1, -1, 1]), margin=0.1),
        F.multi_margin_loss(x[0], torch.tensor([0, 3, 1])), F.multilabel_soft_margin_loss(x[0], (y[0] > 0).float())),
    "ctc_loss": lambda sound: F.ctc_loss(sound.permute(2, 0, 1).log_softmax(-1), torch.tensor([[1, 2, 2], [3, 1, 2]]),
        torch.tensor([7, 6]), torch.tensor([3, 2])),
    "trace": lambda square, whole: (square.trace(), whole.trace(), square.nanquantile(0.3, dim=0)),
    "trapezoid": lambda x: (torch.trapezoid(x), torch.trapz(x, dx=0.5, dim=1)),
    "pdist": lambda x, square: (F.pdist(x[0]), F.pdist(square, p=1.0)),
    "unique_consecutive": lambda ids: torch.unique_consecutive(ids // 2, return_inverse=True, return_counts=True),
    "histc": lambda x: (x.histc(5), torch.histc(x, bins=4, min=-1, max=1)),
    "multilabel_margin_loss": lambda square: F.multilabel_margin_loss(square, torch.tensor(
        [[3, 0, -1, 1], [1, -1, 0, 0], [-1, 0, 0, 0], [0, 1, 2, 3]])),
}  # fmt: skip
