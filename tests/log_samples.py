"""Logs as training programs print them, written anew for a curve that is known: name, writer, and what it must read."""

# ruff: noqa: E501 lines stand here as they are printed

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One line's worth of a training."""

    i: int
    step: int
    loss: float
    val: float | None  # where it was measured
    norm: float
    rate: float


def curve(n: int, with_val: bool = True, every: int = 10, first: int = 10) -> list[Point]:
    """A training of n lines, whose numbers have four decimals; every fourth line has a validation loss."""
    found = []
    for i in range(n):
        loss = round(2 + 8 * math.exp(-i / (n / 3)) + 0.03 * math.sin(7 * i), 4)
        val = round(loss + 0.1234, 4) if with_val and i % 4 == 3 else None
        found.append(Point(i, first + i * every, loss, val, round(1 + 1 / (i + 1), 4), 5e-4))
    return found


Write = Callable[[Sequence[Point]], str]
Steps = Callable[[Point], int]


@dataclass(frozen=True)
class Sample:
    write: Write
    step: Steps = lambda p: p.step  # which step a loss must be at
    val_step: Steps = lambda p: p.step
    has_val: bool = True
    digits: int = 4  # decimals that the format prints
    every: int = 10
    first: int = 10


def lines(train: Callable[[Point], str], val: Callable[[Point], str] | None = None, val_first: bool = False) -> Write:
    """A log with one line a point, and one more where there is a validation loss."""

    def write(points: Sequence[Point]) -> str:
        found: list[str] = []
        for p in points:
            judged = [val(p)] if val is not None and p.val is not None else []
            found += [*judged, train(p)] if val_first else [train(p), *judged]
        return "\n".join(found) + "\n"

    return write


def table(heading: str, row: Callable[[Point], str], rule: str = "") -> Write:
    return lambda points: "\n".join([heading, *([rule] if rule else []), *map(row, points)]) + "\n"


def _v(p: Point, empty: str = "") -> str:
    return empty if p.val is None else f"{p.val:.4f}"


def _count(p: Point) -> int:
    return p.i + 1


def _clock(p: Point) -> str:
    return f"2024-03-01 10:{p.i // 60 % 60:02d}:{p.i % 60:02d}"


def _per_epoch(n_batches: int, size: int) -> Steps:
    """Steps within epochs of so many lines, each of so many batches, counted on."""
    return lambda p: (p.i // n_batches) * n_batches * size + (p.i % n_batches) * size


def _bar(p: Point, n: int = 18) -> str:
    at, epoch = p.i % n + 1, p.i // n
    filled = "#" * (at // 2)
    shown = f"loss={p.loss:.4f}, v_num=7" + ("" if p.val is None else f", val_loss={p.val:.4f}")
    return f"Epoch {epoch}: {100 * at // n:3d}%|{filled:<9}5| {at}/{n} [00:08<02:29,  8.77s/it, {shown}]"


def _keras(points: Sequence[Point]) -> str:
    found = []
    for p in points:
        found.append(f"Epoch {p.i + 1}/{len(points)}")
        judged = "" if p.val is None else f" - val_loss: {p.val:.4f} - val_accuracy: 0.4100"
        found.append(
            f"100/100 [==============================] - 3s 27ms/step - loss: {p.loss:.4f} - accuracy: 0.5120{judged}"
        )
    return "\n".join(found) + "\n"


def _olmo(points: Iterable[Point]) -> str:
    found = []
    for p in points:
        found.append(f"[{_clock(p)}]\tINFO     [olmo.train:816, rank=0] [step={p.step}/9000,epoch=0]")
        found.append(f"    optim/total_grad_norm={p.norm:.4f}\n    train/CrossEntropyLoss={p.loss:.4f}")
        found.append("    train/Perplexity=56,112\n    throughput/total_tokens=41,943,040")
        if p.val is not None:
            found.append(f"    eval/c4_en/CrossEntropyLoss={p.val:.4f}")
    return "\n".join(found) + "\n"


def _composer(points: Iterable[Point]) -> str:
    found = []
    for p in points:
        found.append(f"[batch={p.step}/9000]:\n\t Train time/batch: {p.step - 1}\n\t Train time/sample: {p.step * 64}")
        found.append(f"\t Train loss/train/total: {p.loss:.4f}\n\t Train lr-DecoupledAdamW/group0: 0.0001")
        if p.val is not None:
            found.append(
                f"[Eval batch=320/320] Eval on eval data:\n\t Eval metrics/eval/LanguageCrossEntropy: {p.val:.4f}"
            )
    return "\n".join(found) + "\n"


def _trainer_dicts(epoch: Callable[[Point], float], text: bool = False) -> Write:
    def write(points: Sequence[Point]) -> str:
        q = "'" if text else ""
        found = []
        for p in points:
            found.append(
                f"{{'loss': {q}{p.loss:.4f}{q}, 'grad_norm': {q}{p.norm:.4f}{q}, 'learning_rate': {q}{p.rate}{q}, "
                f"'epoch': {q}{epoch(p):.2f}{q}}}"
            )
            if p.val is not None:
                found.append(
                    f"{{'eval_loss': {q}{p.val:.4f}{q}, 'eval_runtime': 3.1, 'eval_steps_per_second': 2.0, "
                    f"'epoch': {q}{epoch(p):.2f}{q}}}"
                )
        found.append("{'train_runtime': 812.3, 'train_samples_per_second': 12.1, 'train_loss': 9.9999, 'epoch': 3.0}")
        return "\n".join(found) + "\n"

    return write


def _history(points: Iterable[Point]) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    for p in points:
        found.append(
            {"epoch": p.i // 9 + 0.5, "grad_norm": p.norm, "learning_rate": p.rate, "loss": p.loss, "step": p.step}
        )
        if p.val is not None:
            found.append({"epoch": p.i // 9 + 0.5, "eval_loss": p.val, "eval_runtime": 2.2, "step": p.step})
    return found


def _state(points: Sequence[Point]) -> str:
    state = {
        "best_metric": 0.1,
        "best_model_checkpoint": None,
        "epoch": 3.0,
        "eval_steps": 500,
        "global_step": 9000,
        "is_hyper_param_search": False,
        "log_history": _history(points),
        "max_steps": 9000,
        "num_train_epochs": 3,
    }
    return json.dumps(state, indent=2) + "\n"


def _markdown(points: Sequence[Point]) -> str:
    rows = [
        f"| {p.loss:.4f}        | {p.i / 10:.2f}  | {p.step} | {p.loss + 0.1:.4f}          | 0.4012   |" for p in points
    ]
    return (
        "\n".join(
            [
                "| Training Loss | Epoch | Step | Validation Loss | Accuracy |",
                "|:-------------:|:-----:|:----:|:---------------:|:--------:|",
                *rows,
            ]
        )
        + "\n"
    )


def _metrics_csv(points: Iterable[Point]) -> str:
    found = ["epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_loss"]
    for p in points:
        found.append(f"{p.i // 8},0.0005,{p.step},,{p.loss:.4f},")
        if p.val is not None:
            found.append(f"{p.i // 8},,{p.step},,,{p.val:.4f}")
            found.append(f"{p.i // 8},,{p.step},{p.loss + 1:.4f},,")
    return "\n".join(found) + "\n"


def _long(points: Iterable[Point]) -> str:
    found = ["run_id,key,value,timestamp,step,is_nan"]
    for p in points:
        found.append(f"ab12,train_loss,{p.loss:.4f},17000000{p.i:04d},{p.step},false")
        found.append(f"ab12,lr,0.0005,17000000{p.i:04d},{p.step},false")
        if p.val is not None:
            found.append(f"ab12,val_loss,{p.val:.4f},17000000{p.i:04d},{p.step},false")
    return "\n".join(found) + "\n"


def _named(points: Iterable[Point]) -> str:
    found = []
    for p in points:
        found.append(json.dumps({"name": "loss", "value": p.loss, "step": p.step}))
        if p.val is not None:
            found.append(json.dumps({"name": "val_loss", "value": p.val, "step": p.step}))
    return "\n".join(found) + "\n"


def _frame(points: Sequence[Point]) -> str:
    rows = [f"{p.i:<4d}{p.step:>6d}{p.loss:>10.4f}{'NaN' if p.val is None else f'{p.val:.4f}':>10}" for p in points]
    return "\n".join([f"{'':4}{'step':>6}{'loss':>10}{'val_loss':>10}", *rows]) + "\n"


def _coloured(log: Write) -> Write:
    def write(points: Sequence[Point]) -> str:
        found = []
        for line in log(points).splitlines():
            head, _, rest = line.partition(" ")
            found.append(
                f"\x1b[32m10:00:01.123\x1b[0m | \x1b[1mINFO    \x1b[0m | \x1b[36m__main__:train:42\x1b[0m - "
                f"{head} \x1b[1;36m{rest}\x1b[0m"
            )
        return "\n".join(found) + "\n"

    return write


def _french(number: float, digits: int = 4) -> str:
    return f"{number:.{digits}f}".replace(".", ",")


_NANO = lines(
    lambda p: f"iter {p.step}: loss {p.loss:.4f}, time 20.51ms, mfu 2.31%",
    lambda p: f"step {p.step}: train loss {p.loss + 0.05:.4f}, val loss {p.val:.4f}",
    val_first=True,
)
SAMPLES: dict[str, Sample] = {
    "nanoGPT": Sample(_NANO),
    "litgpt": Sample(
        lines(
            lambda p: f"iter {p.step} step {p.i // 4}: loss {p.loss:.4f}, iter time: 301.52 ms (optimizer.step)",
            lambda p: f"step {p.step}: val loss {p.val:.4f}, val time: 3778.02 ms",
        )
    ),
    "litgpt, of both": Sample(
        lines(
            lambda p: (
                f"Epoch {p.i // 20 + 1} | iter {p.step} step {p.i // 4} | loss train: {p.loss:.4f}, val: "
                f"{_v(p, 'n/a')} | iter time: 45.71 ms (step)"
            )
        )
    ),
    "minGPT": Sample(
        lines(lambda p: f"iter_dt 12.34ms; iter {p.step}: train loss {p.loss:.5f}"), has_val=False, digits=5
    ),
    "llm.c": Sample(
        lines(
            lambda p: (
                f"step {p.step:5d}/9000 | train loss {p.loss:.4f} | norm {p.norm:.4f} | lr 3.00e-04 | 3124.52 ms | "
                f"54.3% bf16 MFU | 167799 tok/s"
            ),
            lambda p: f"val loss {p.val:.4f}",
        )
    ),
    "llm.c, with z": Sample(
        lines(
            lambda p: (
                f"step {p.step:5d}/9000 | loss {p.loss:.4f} (+nanz)| norm {p.norm:.4f} (+0.32z)| lr 1.00e-06 | 31.2 ms"
            ),
            lambda p: f"val loss {p.val:.4f}",
        )
    ),
    "build-nanogpt": Sample(
        lines(lambda p: f"{p.step} train {p.loss:.4f}", lambda p: f"{p.step} val {p.val:.4f}\n{p.step} hella 0.2463")
    ),
    "nanochat": Sample(
        lines(
            lambda p: (
                f"step {p.step:05d}/09000 ({p.step / 90:.2f}%) | loss: {p.loss:.4f} | lrm: 1.00 | dt: 302.11ms | "
                f"tok/sec: 1,000,123 | mfu: 41.20 | total time: 3.20m"
            )
        ),
        has_val=False,
    ),
    "modded-nanogpt": Sample(
        lines(
            lambda p: f"step:{p.step}/9000 train_loss:{p.loss:.4f} train_time:{p.step * 41}ms step_avg:41.22ms",
            lambda p: f"step:{p.step}/9000 val_loss:{p.val:.4f} train_time:{p.step * 41}ms step_avg:41.22ms",
        )
    ),
    "makemore": Sample(
        lines(
            lambda p: f"step {p.step} | loss {p.loss:.4f} | step time 10.21ms",
            lambda p: f"step {p.step} train loss: {p.loss + 0.05:.4f} test loss: {p.val:.4f}",
        )
    ),
    "The Annotated Transformer": Sample(
        lines(
            lambda p: (
                f"Epoch Step: {p.step:6d} | Accumulation Step: {p.i // 3:3d} | Loss: {p.loss:6.4f} | "
                f"Tokens / Sec: {2212.4:7.1f} | Learning Rate: {5.4e-07:6.1e}"
            )
        ),
        has_val=False,
    ),
    "The Annotated Transformer, first": Sample(
        lines(lambda p: f"Epoch Step: {p.step} Loss: {p.loss:f} Tokens per Sec: 1221.5"), has_val=False, digits=6
    ),
    "mnist": Sample(
        lambda points: "".join(
            f"Train Epoch: {p.i // 10 + 1} [{p.i % 10 * 640}/6400 ({p.i % 10 * 10}%)]\tLoss: {p.loss:.6f}\n"
            + (f"\nTest set: Average loss: {p.val:.4f}, Accuracy: 9823/10000 (98%)\n\n" if p.val is not None else "")
            for p in points
        ),
        step=_per_epoch(10, 640),
        val_step=_per_epoch(10, 640),
        digits=6,
    ),
    "word_language_model": Sample(
        lines(
            lambda p: (
                f"| epoch {p.i // 10 + 1:3d} | {p.i % 10 * 200:5d}/ 2000 batches | lr 20.00 | ms/batch 12.31 | "
                f"loss {p.loss:5.4f} | ppl {math.exp(p.loss):8.2f}"
            ),
            lambda p: (
                f"{'-' * 89}\n| end of epoch {p.i // 10 + 1:3d} | time: 44.02s | valid loss {p.val:5.4f} | valid ppl "
                f"{211.61:8.2f}\n{'-' * 89}"
            ),
        ),
        step=_per_epoch(10, 200),
        val_step=_per_epoch(10, 200),
    ),
    "Trainer, fractions": Sample(_trainer_dicts(lambda p: 0.03 + p.i / 7), step=_count, val_step=_count),
    "Trainer, all 0.0": Sample(_trainer_dicts(lambda p: 0.0), step=_count, val_step=_count),
    "Trainer, numbers as text": Sample(
        _trainer_dicts(lambda p: 0.03 + p.i / 7, text=True), step=_count, val_step=_count
    ),
    "trainer_state.json": Sample(_state),
    "log_history in one line": Sample(lambda points: str(_history(points)) + "\n"),
    "model card": Sample(_markdown, has_val=False),
    "Trainer's notebook table": Sample(
        table(
            "Step\tTraining Loss\tValidation Loss",
            lambda p: f"{p.step}\t{p.loss:.6f}\t{'No log' if p.val is None else f'{p.val:.6f}'}",
        ),
        digits=6,
    ),
    "unsloth's notebook table": Sample(
        table("Step\tTraining Loss", lambda p: f"{p.step}\t{p.loss:.6f}"), has_val=False, digits=6
    ),
    "Lightning's bar": Sample(
        lambda points: "\r".join(map(_bar, points)), step=lambda p: p.i + 1, val_step=lambda p: p.i + 1
    ),
    "Lightning's bar, of both": Sample(
        lambda points: "\r".join(
            f"Epoch 0: {p.i}%|{'#' * 5}| {p.i + 1}/900 [00:01<01:02, 3.11it/s, v_num=3, train_loss_step={p.loss:.4f}, "
            f"train_loss_epoch=9.9900]"
            for p in points
        ),
        step=lambda p: p.i + 1,
        has_val=False,
    ),
    "Lightning's metrics.csv": Sample(_metrics_csv),
    "Keras": Sample(_keras, step=_count, val_step=_count),
    "fastai": Sample(
        table(
            f"{'epoch':<10}{'train_loss':<12}{'valid_loss':<12}{'accuracy':<10}time",
            lambda p: f"{p.i:<10d}{p.loss:<12.6f}{p.loss + 0.1:<12.6f}{0.331:<10.6f}00:21",
        ),
        step=lambda p: p.i,
        has_val=False,
        digits=6,
    ),
    "Megatron-LM": Sample(
        lines(
            lambda p: (
                f" iteration {p.step:8d}/    9000 | consumed samples: {p.step * 32:12d} | elapsed time per iteration "
                f"(ms): 614.6 | learning rate: 4.900E-06 | global batch size:    32 | lm loss: {p.loss:.6E} | loss scale: "
                f"4294967296.0 | grad norm: {p.norm:.3f} | number of skipped iterations:   0 | number of nan iterations:   0 |"
            ),
            lambda p: (
                f" validation loss at iteration {p.step} | lm loss value: {p.val:.6E} | lm loss PPL: 1.254321E+01 | "
            ),
        )
    ),
    "DeepSpeed": Sample(
        lines(
            lambda p: (
                f"[{_clock(p)},123] [INFO] [logging.py:96:log_dist] [Rank 0] step={p.step}, skipped=0, lr=[1e-05], "
                f"mom=[(0.9, 0.999)], loss={p.loss:.4f}"
            )
        ),
        has_val=False,
    ),
    "DLLogger": Sample(
        lines(
            lambda p: (
                f"DLL {_clock(p)}.123456 - Training Epoch: 0 Training Iteration: {p.step}  average_loss : "
                f"{p.loss + 0.2:.4f}  step_loss : {p.loss:.4f}  learning_rate : 0.0005 "
            )
        ),
        has_val=False,
    ),
    "fairseq": Sample(
        lines(
            lambda p: (
                f"| epoch {p.i + 1:03d} | loss {p.loss:.4f} | nll_loss {p.loss - 1:.4f} | ppl 294.21 | wps 3210 | "
                f"num_updates {p.step} | lr 0.0005 | gnorm {p.norm:.3f} | clip 0.000 | train_wall 21"
            ),
            lambda p: (
                f"| epoch {p.i + 1:03d} | valid on 'valid' subset | loss {p.val:.4f} | nll_loss 8.4000 | ppl 338.12 | "
                f"num_updates {p.step} | best_loss 9.3000"
            ),
        )
    ),
    "fairseq, later": Sample(
        lines(
            lambda p: (
                f"{_clock(p)} | INFO | train_inner | epoch 001: {p.step:6d} / 9000 loss={p.loss:.4f}, "
                f"nll_loss={p.loss - 1:.4f}, ppl=294.21, num_updates={p.step}, lr=0.0005, gnorm={p.norm:.3f}"
            ),
            lambda p: (
                f"{_clock(p)} | INFO | valid | epoch 001 | valid on 'valid' subset | loss {p.val:.4f} | nll_loss 8.4 | "
                f"num_updates {p.step}"
            ),
        )
    ),
    "OLMo": Sample(_olmo),
    "Composer": Sample(_composer),
    "torchtune": Sample(
        lines(lambda p: f"1|{p.step}|Loss: {p.loss:.4f}:   3%|3         | {p.step}/9000 [00:09<04:11,  3.40it/s]"),
        has_val=False,
    ),
    "torchtitan": Sample(
        lines(
            lambda p: (
                f"[rank0]:[titan] {_clock(p)},123 - root - INFO - step: {p.step:2d}  loss: {p.loss:7.4f}  grad_norm: "
                f"{p.norm:7.4f}  memory:  0.97GiB(1.02%)  tps: 1,021  tflops: 1.52  mfu: 0.49%"
            ),
            lambda p: (
                f"[rank0]:[titan] {_clock(p)},123 - root - INFO - validate step: {p.step:2d}  loss: {p.val:7.4f}  "
                f"memory:  0.97GiB(1.02%)  tps: 1,021"
            ),
        )
    ),
    "axolotl": Sample(
        lines(
            lambda p: (
                f"  {p.i % 100}%|▋         | {p.step}/9000 [00:12<03:33,  3.56s/it]\n{{'loss': {p.loss:.4f}, "
                f"'grad_norm': {p.norm:.4f}, 'learning_rate': 5e-06, 'memory/max_mem_active(gib)': 12.31, "
                f"'epoch': {p.i / 7 + 0.01:.2f}}}"
            )
        ),
        has_val=False,
    ),
    "TRL": Sample(
        lines(
            lambda p: (
                f"{{'loss': {p.loss:.4f}, 'grad_norm': {p.norm:.4f}, 'learning_rate': 1e-05, 'entropy': 1.2041, "
                f"'num_tokens': {p.step * 512}.0, 'mean_token_accuracy': 0.6612, 'epoch': 0.01}}"
            )
        ),
        step=_count,
        has_val=False,
    ),
    "llama-recipes": Sample(
        lines(
            lambda p: (
                f"Training Epoch: 1/1, step {p.i + 1}/900 completed (loss: {p.loss:.6f}):  10%|#         | {p.i + 1}/900 "
                f"[04:02<00:00,  3.78s/it]"
            ),
            lambda p: f" eval_ppl=tensor(9.1234, device='cuda:0') eval_epoch_loss=tensor({p.val:.4f}, device='cuda:0')",
        ),
        step=lambda p: p.i + 1,
        val_step=lambda p: p.i + 1,
        digits=6,
    ),
    "xtuner": Sample(
        lines(
            lambda p: (
                f"{_clock(p)} - mmengine - INFO - Iter(train) [{p.step:5d}/9000]  lr: 2.0000e-04  eta: 2:31:12  time: "
                f"1.2312  data_time: 0.0121  memory: 9312  loss: {p.loss:.4f}"
            )
        ),
        has_val=False,
    ),
    "LLaMA-Factory": Sample(
        lambda points: (
            "\n".join(
                json.dumps(
                    {
                        "current_steps": p.step,
                        "total_steps": 9000,
                        "loss": p.loss,
                        "lr": 1e-05,
                        "epoch": 0.01,
                        "percentage": 0.11,
                        "elapsed_time": "0:00:12",
                        "remaining_time": "1:12:11",
                    }
                )
                for p in points
            )
            + "\n"
        ),
        has_val=False,
    ),
    "MaxText": Sample(
        lines(
            lambda p: (
                f"completed step: {p.step}, seconds: 1.231, TFLOP/s/device: 100.123, Tokens/s/device: 2012.311, "
                f"total_weights: 65536, loss: {p.loss:.4f}"
            ),
            lambda p: f"eval metrics after step: {p.step}, loss={p.val:.4f}, total_weights=65536.0",
        )
    ),
    "Flax": Sample(
        lines(
            lambda p: (
                f"I0301 10:00:00.123456 140234 logging_writer.py:48] [{p.step}] learning_rate=0.0005, "
                f"loss={p.loss:.4f}, perplexity=12.3123"
            ),
            lambda p: (
                f"I0301 10:00:00.123456 140234 logging_writer.py:48] [{p.step}] eval_loss={p.val:.4f}, "
                f"eval_perplexity=13.1"
            ),
        )
    ),
    "TF estimator": Sample(
        lines(
            lambda p: (
                f"INFO:tensorflow:loss = {p.loss:.4f}, step = {p.step} (0.512 sec)\n"
                f"INFO:tensorflow:global_step/sec: 120.313"
            ),
            lambda p: (
                f"INFO:tensorflow:Saving dict for global step {p.step}: accuracy = 0.9012, global_step = {p.step}, "
                f"loss = {p.val:.4f}"
            ),
        )
    ),
    "tinygrad": Sample(
        lines(
            lambda p: (
                f"{p.step:5d} {12.34:7.2f} ms run, {1.23:6.2f} ms python, {p.loss:.4f} loss, 0.000500 LR, 2.31 GB used"
            )
        ),
        has_val=False,
    ),
    "from scratch": Sample(
        lines(lambda p: f"Ep 1 (Step {p.step:06d}): Train loss {p.loss:.4f}, Val loss {p.loss + 0.1:.4f}"),
        has_val=False,
    ),
    "TensorBoard": Sample(
        table("Wall time,Step,Value", lambda p: f"17000000{p.i:04d}.512311,{p.step},{p.loss:.4f}"), has_val=False
    ),
    "W&B": Sample(
        table(
            '"Step","fine-sun-3 - train/loss","fine-sun-3 - train/loss__MIN","fine-sun-3 - train/loss__MAX"',
            lambda p: f'"{p.step}","{p.loss:.4f}","{p.loss - 1:.4f}","{p.loss + 1:.4f}"',
        ),
        has_val=False,
    ),
    "trackio": Sample(
        table(
            "timestamp,run,step,train_loss,eval_loss,lr",
            lambda p: f"2024-03-01T10:00:00.{p.i:06d},warm-lake-0,{p.step},{p.loss:.4f},{_v(p)},0.0005",
        )
    ),
    "MLflow": Sample(_long),
    "pandas": Sample(_frame),
    "JSON lines": Sample(
        lambda points: (
            "\n".join(
                json.dumps({"step": p.step, "train/loss": p.loss, **({} if p.val is None else {"val/loss": p.val})})
                for p in points
            )
            + "\n"
        )
    ),
    "JSON lines, nested": Sample(
        lambda points: (
            "\n".join(
                json.dumps(
                    {
                        "step": p.step,
                        "train": {"loss": p.loss, "acc": 0.5},
                        **({} if p.val is None else {"val": {"acc": 0.4, "loss": p.val}}),
                    }
                )
                for p in points
            )
            + "\n"
        )
    ),
    "JSON lines, name and value": Sample(_named),
    "history of Keras": Sample(
        lambda points: json.dumps({"loss": [p.loss for p in points], "accuracy": [0.5 for _ in points]}),
        step=_count,
        has_val=False,
    ),
    "loguru": Sample(_coloured(_NANO)),
    "rich": Sample(
        lines(
            lambda p: (
                f"[10:00:{p.i % 60:02d}] INFO     step {p.step} | loss {p.loss:.4f} | lr 5e-04          "
                f"                train.py:{40 + p.i % 3}"
            ),
            lambda p: f"           INFO     step {p.step} | val loss {p.val:.4f}                 train.py:88",
        )
    ),
    "rich's table": Sample(
        lambda points: (
            "┏━━━━━━┳━━━━━━━━┳━━━━━━━━━━┓\n┃ step ┃ loss   ┃ val loss ┃\n┡━━━━━━╇━━━━━━━━╇━━━━━━━━━━┩\n"
            + "".join(f"│ {p.step} │ {p.loss:.4f} │ {_v(p, '-')} │\n" for p in points)
            + "└──────┴────────┴──────────┘\n"
        )
    ),
    "French": Sample(
        lines(
            lambda p: f"Étape {p.step}\u00a0: perte {_french(p.loss)}, norme {_french(p.norm)}",
            lambda p: f"Étape {p.step}\u00a0: perte de validation {_french(p.val or 0)}",
        )
    ),
    "French epochs": Sample(
        lines(lambda p: f"Époque {p.i + 1}\u202f: perte {_french(p.loss, 2)}"), step=_count, has_val=False, digits=2
    ),
    "French CSV": Sample(
        table("étape;perte;perte de validation", lambda p: f"{p.step};{_french(p.loss)};{_v(p).replace('.', ',')}")
    ),
    "thousands": Sample(lines(lambda p: f"step {p.step:,}: loss {p.loss:.4f}"), has_val=False, every=500, first=500),
    "thousands, French": Sample(
        lines(lambda p: f"étape {p.step:,}".replace(",", "\u202f") + f" : perte {_french(p.loss)}"),
        has_val=False,
        every=500,
        first=500,
    ),
    "CSV with val": Sample(table("step,train,val", lambda p: f"{p.step},{p.loss:.4f},{_v(p)}")),
    "CSV with validation": Sample(table("Epoch,Training,Validation", lambda p: f"{p.step},{p.loss:.4f},{_v(p)}")),
    "CSV with eval_loss": Sample(table("step,loss,eval_loss", lambda p: f"{p.step},{p.loss:.4f},{_v(p)}")),
    "CSV with test loss": Sample(table("step,train loss,test loss", lambda p: f"{p.step},{p.loss:.4f},{_v(p)}")),
    "CSV, last step first": Sample(
        lambda points: "step,loss,val_loss\n" + "".join(f"{p.step},{p.loss:.4f},{_v(p)}\n" for p in reversed(points))
    ),
    "tensors": Sample(
        lines(
            lambda p: f"Step: {p.step} Loss: tensor({p.loss:.4f}, grad_fn=<NllLossBackward0>)",
            lambda p: f"Step: {p.step} Val loss: tensor({p.val:.4f})",
        )
    ),
    "yunjey": Sample(
        lines(lambda p: f"Epoch [{p.i // 6 + 1}/40], Step [{(p.i % 6 + 1) * 100}/600], Loss: {p.loss:.4f}"),
        step=lambda p: (p.i + 1) * 100,
        has_val=False,
    ),
    "ImageNet": Sample(
        lines(
            lambda p: (
                f"Epoch: [{p.i // 10}][{p.i % 10 * 10:4d}/100]\tTime  0.512 ( 1.221)\tData  0.011 ( 0.500)\tLoss "
                f"{p.loss:.4e} (6.9314e+00)\tAcc@1   0.00 (  0.12)\tAcc@5   0.39 (  0.51)"
            )
        ),
        step=_per_epoch(10, 10),
        has_val=False,
    ),
    "loss at step": Sample(
        lines(
            lambda p: f"Average loss at step {p.step} : {p.loss:.4f}",
            lambda p: f"Validation loss at step {p.step}: {p.val:.4f}",
        )
    ),
    "cost after": Sample(lines(lambda p: f"Cost after iteration {p.step}: {p.loss:.4f}"), has_val=False),
    "bullet list": Sample(lines(lambda p: f"- step {p.step} → loss = {p.loss:.4f} (lr = 5e-04)"), has_val=False),
    "glued": Sample(lines(lambda p: f"step{p.step}_loss={p.loss:.4f}".replace("_", " ")), has_val=False),
    "CIFAR10 tutorial": Sample(
        lines(lambda p: f"[{p.i // 6 + 1}, {(p.i % 6 + 1) * 2000:5d}] loss: {p.loss:.4f}"),
        step=lambda p: (p.i + 1) * 2000,
        has_val=False,
    ),
    "DCGAN": Sample(
        lines(lambda p: f"[{p.i // 4}/90][{p.i % 4 * 50}/200]\tLoss_D: {p.loss:.4f}\tD(x): 0.5012\tD(G(z)): 0.4 / 0.3"),
        step=_per_epoch(4, 50),
        has_val=False,
    ),
    "two bars": Sample(
        lines(
            lambda p: (
                f"Epochs:  30%|##| {p.i // 4}/90 [00:01<00:02, 1.01s/it]\n"
                f"Batches:  25%|##| {p.i % 4}/4 [00:00<00:00, 3.01it/s, loss={p.loss:.4f}]"
            )
        ),
        step=lambda p: p.i,
        has_val=False,
    ),
    "CSV with a split": Sample(
        lambda points: (
            "phase,step,loss\n"
            + "".join(
                f"train,{p.step},{p.loss:.4f}\n" + ("" if p.val is None else f"val,{p.step},{p.val:.4f}\n")
                for p in points
            )
        )
    ),
    "JSON lines with a split": Sample(
        lambda points: "".join(
            json.dumps({"event": "train", "step": p.step, "metrics": {"loss": p.loss}})
            + "\n"
            + (
                ""
                if p.val is None
                else json.dumps({"event": "eval", "step": p.step, "metrics": {"loss": p.val}}) + "\n"
            )
            for p in points
        )
    ),
    "JAX": Sample(lines(lambda p: f"step {p.step}, loss Array({p.loss:.4f}, dtype=float32)"), has_val=False),
    "TensorFlow 2": Sample(
        lines(lambda p: f"Step {p.step} Loss tf.Tensor({p.loss:.4f}, shape=(), dtype=float32)"), has_val=False
    ),
    "XGBoost": Sample(
        lines(
            lambda p: (
                f"[{p.step}]\ttrain-mlogloss:{p.loss:.4f}" + ("" if p.val is None else f"\tval-mlogloss:{p.val:.4f}")
            )
        )
    ),
    "thousands, Swiss": Sample(
        lines(lambda p: f"step {p.step:,}: loss {p.loss:.4f}".replace(",", "’")), every=500, first=500, has_val=False
    ),
}
