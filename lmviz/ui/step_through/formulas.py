"""The formula of each stage, as the papers write it. What an architecture computes otherwise stands in its record."""

from __future__ import annotations

import threading
from typing import Any

from lmviz.model.architecture import Architecture
from lmviz.model.architectures import ARCHITECTURES
from lmviz.stages.stage import Kind
from lmviz.ui.formula import svg

_AFTER_THE_FIRST_PAGE = 1.0  # seconds
_FORMULAS: dict[str, str] = {  # by the kind of a stage, and of the forms in which a model may have it
    "embeddings": r"x = E_{\mathrm{token}}[\mathrm{id}] + E_{\mathrm{pos}}[\mathrm{pos}]",
    "embeddings.alone": r"x = E_{\mathrm{token}}[\mathrm{id}]",
    "norm": r"\mathrm{scaled} = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \cdot w + b",
    "final_norm": r"\mathrm{scaled} = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \cdot w + b",
    "norm.rms": r"\mathrm{scaled} = \frac{x}{\sqrt{\overline{x^2} + \varepsilon}} \cdot w",
    "final_norm.rms": r"\mathrm{scaled} = \frac{x}{\sqrt{\overline{x^2} + \varepsilon}} \cdot w",
    "qkv": r"q = x\,W_q \quad k = x\,W_k \quad v = x\,W_v",
    "rotation": r"q' = q \cos\theta + q_{90^\circ} \sin\theta \quad k' = k \cos\theta + k_{90^\circ} \sin\theta",
    "rotation.angles": r"\theta_{\mathrm{pos},i} = \mathrm{pos} \cdot \omega_i",
    "sharing": r"k'_{\mathrm{head}} = k_{\lfloor \mathrm{head} / n \rfloor}",
    "scores": r"\mathrm{scores} = \frac{q\,k^{\top}}{\sqrt{d_{\mathrm{head}}}}",
    "softmax": r"\mathrm{pattern}_{ij} = \frac{e^{s_{ij}}}{\sum_{j'} e^{s_{ij'}}}",
    "mix": r"z = \mathrm{pattern} \cdot v",
    "residual": r"x \leftarrow x + \Delta x",
    "router": r"\mathrm{shares} = \mathrm{softmax}(x\,W_{\mathrm{router}})",
    "mlp": r"\mathrm{out} = f(x\,W_{\mathrm{in}} + b)\,W_{\mathrm{out}} + b'",
    "mlp.gated": r"\mathrm{out} = (f(x\,W_{\mathrm{gate}}) \cdot x\,W_{\mathrm{in}})\,W_{\mathrm{out}}",
    "logits": r"\mathrm{logits} = x\,W_{\mathrm{unembed}}^{\top}",
    "probabilities": r"p_i = \frac{e^{\mathrm{logit}_i / T}}{\sum_j e^{\mathrm{logit}_j / T}}",
    "loss": r"\mathrm{loss} = \frac{1}{n}\sum_{t} -\ln p(\mathrm{target}_t)",
}


def formula_of(kind: Kind, record: Architecture[Any] | None, variant: str = "") -> str:
    """The formula of a stage in a model of this architecture, in the form that the model has of the stage."""
    usual = _FORMULAS.get(f"{kind}.{variant}", _FORMULAS.get(kind, ""))
    return (record.formulas if record is not None else {}).get(kind, usual)


def warm_up() -> None:
    """Draw the formulas in the background, so that no first step waits for one; but after the first page, which has
    none and would share the interpreter with it."""
    own = [latex for record in ARCHITECTURES.values() for latex in record.formulas.values()]
    later = threading.Timer(_AFTER_THE_FIRST_PAGE, lambda: [svg(latex) for latex in (*_FORMULAS.values(), *own)])
    later.daemon = True
    later.start()
