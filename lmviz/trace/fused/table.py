"""All fused calls that are written out, by the name of torch's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmviz.trace.fused.attention import (
    multi_head_attention_forward,
    native_multi_head_attention,
    scaled_dot_product_attention,
    transformer_encoder_layer,
)
from lmviz.trace.fused.recurrent import RECURRENT

OPENED: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        scaled_dot_product_attention,
        multi_head_attention_forward,
        native_multi_head_attention,
        transformer_encoder_layer,
        *RECURRENT,
    )
}
