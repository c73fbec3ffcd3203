"""A recording leaves the page as a file, and comes back on another page by being dropped."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import until

HOLD = """() => {
  const held = new DataTransfer();
  held.items.add(new File(["x"], "mine.lmviz"));
  document.dispatchEvent(new DragEvent("dragenter", { dataTransfer: held, bubbles: true }));
}"""
DROP = f"""([name, size]) => {{
  ({HOLD})();
  const held = new DataTransfer();
  held.items.add(new File([new Uint8Array(size)], name));
  const at = document.querySelector(".st-key-dropped section");
  at.dispatchEvent(new DragEvent("drop", {{ dataTransfer: held, bubbles: true, cancelable: true }}));
}}"""
FIELD = ".st-key-dropped"


@pytest.mark.nightly
def test_a_recording_is_saved_and_dropped_onto_another_page(visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit("step_through", model="names", prompt=".mar", step="blocks.1.attn.pattern")
    page.get_by_role("button", name="Download").click()
    page.get_by_text("Save this recording").wait_for()
    kept = _saved(page, "Save this recording", tmp_path)
    assert kept.name == "names-mar.lmviz"
    with np.load(_saved(page, "Save these numbers", tmp_path)) as arrays:
        assert arrays["blocks.1.attn.pattern"].shape == (1, 4, 4, 4)
    page.get_by_text(".svg", exact=True).click()
    picture = _saved(page, "Save this picture", tmp_path).read_text()
    assert "blocks.1.attn.pattern" in picture and "/step_through?model=names" in picture
    page.evaluate(HOLD)
    expect(page.locator(FIELD)).to_be_hidden()  # a field for files is in sight, which keeps them

    page = visit("generation", lang="fr")
    page.locator(f"{FIELD} input[type=file]").wait_for(state="attached")
    page.evaluate(HOLD)
    expect(page.locator(FIELD)).to_be_visible()
    page.locator(f"{FIELD} input[type=file]").set_input_files(
        {"name": "bad.lmviz", "mimeType": "", "buffer": b"no recording at all"}
    )
    expect(page.get_by_test_id("stToast")).to_contain_text("bad.lmviz")
    for file, said in ((["weights.bin", 1], "weights.bin n’en est pas un"), (["large.lmviz", 64 * 10**6 + 1], "64 Mo")):
        page.evaluate(DROP, file)  # the field refuses it out of sight
        expect(page.get_by_test_id("stToast").last).to_contain_text(re.compile(said.replace(" ", r"\s")))
    page.locator(f"{FIELD} input[type=file]").set_input_files(kept)
    expect(page.get_by_text("Ce que le modèle a lu")).to_be_visible()
    until(page, lambda: "model=recording" in page.url and "lang=fr" in page.url)


def _saved(page: Page, label: str, folder: Path) -> Path:
    with page.expect_download() as found:
        page.get_by_role("button", name=label).click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path
