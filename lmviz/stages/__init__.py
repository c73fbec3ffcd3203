"""The stages of a trace, and moving about in it. Pure functions of a trace.

To read: `stage.py` (what a stage is), `data_flow.py` (which value was made from which), `blocks.py`, `norms.py`,
`rotation.py` and `attention.py` (what they show), `rules.py` (the stage of a step, rule by rule), `stages.py` (all
stages of a trace), `navigation.py` (the moves of a debugger), `gates.py`, `panels.py` (the tensors of a
place), `origins.py` (what their cells were made from), `breakpoints.py`.
"""
