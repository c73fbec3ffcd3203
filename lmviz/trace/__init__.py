"""The recorder, and the trace that it leaves. To read it, begin at the top of this list.

1. `step.py`: what a trace is made of. `recorder.py`: `record()`, which makes one.
2. `capture/`: while the model runs, each torch call is noted and its tensors are held (`mode.py` first).
3. `source/`: from an instruction to the expression and the names that the source has for it.
4. `assembly/`: from what was noted to steps: names, addresses, axes, and the tree of calls (`build.py` first).
5. `replay/`: numbers that were not kept are computed again; gradients.
6. `fused/`: what torch computes in one call (attention, LSTM), written out so that its parts can be seen.
7. `operations/`: one record for each torch operation: arguments, axes, arithmetic, slope (`operation.py` first).

What is private to torch, and may change with its version, is in `torch_private.py` alone.
"""
