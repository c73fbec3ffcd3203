"""What Streamlit itself says is said in the reader's language, and no longer than it is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import serving
from tests.conftest import ROOT

DROP = """(at, name) => {
  const held = new DataTransfer();
  held.items.add(new File(["x"], name));
  document.dispatchEvent(new DragEvent("dragenter", { dataTransfer: held, bubbles: true }));
  at.dispatchEvent(new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true }));
}"""
SAID = "at => getComputedStyle(at, '::after').content"


def said(place: Any) -> str:
    """What a style writes over an element's own words, which take no room."""
    assert place.evaluate("at => getComputedStyle(at).fontSize") == "0px"
    found: str = place.evaluate(SAID)
    return found.strip('"')


@pytest.mark.nightly
def test_fields_for_files_and_tables_speak_french(visit: Callable[..., Page], server: str) -> None:
    page = visit("tokenizer", lang="fr")
    for table in ("Chercher", "Télécharger en CSV", "Montrer ou masquer des colonnes"):
        expect(page.get_by_test_id("stElementToolbarButton").get_by_label(table, exact=True)).to_be_attached()
    page.goto(f"{server}/training?lang=fr&data=own")
    field = page.locator(".st-key-own_file")
    expect(field).to_be_visible()
    assert said(field.locator("button p")) == "Choisir un fichier"
    expect(field.locator("input")).to_have_attribute("aria-label", "Choisir un fichier")
    assert said(field.get_by_test_id("stFileUploaderDropzoneInstructions").locator("span")).endswith("1 Mo au plus")
    field.locator("input").set_input_files([{"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"x"}])
    expect(field.get_by_test_id("stFileChip")).to_be_visible()
    assert field.evaluate(SAID).startswith('"Refusé')
    page.locator("textarea").first.fill("un")
    assert said(page.get_by_test_id("InputInstructions").locator("> :first-child")) == "Touchez à côté pour valider"


@pytest.mark.nightly
def test_a_lost_connection_is_told_in_french(browser: Any) -> None:
    with serving(ROOT) as address:
        page = browser.new_page(locale="fr-FR")
        page.goto(f"{address}/?lang=fr")
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        assert said(page.get_by_test_id("stSkipToContent")) == "Aller au contenu"
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert said(dialog.locator("h2")) == "Connexion perdue"
    assert said(dialog.locator("h2 + div > div")).startswith("Le serveur ne répond pas")
    page.close()


@pytest.mark.nightly
def test_what_was_said_of_a_file_goes_when_another_comes(visit: Callable[..., Page]) -> None:
    page = visit("generation")
    toast = page.get_by_test_id("stToast")
    section = page.locator(".st-key-dropped section")
    section.evaluate(DROP, "a.txt")
    expect(toast).to_contain_text("a.txt is none")
    section.evaluate(DROP, "b")
    expect(toast.filter(has_text="b is none")).to_be_visible()
    expect(toast).to_have_count(1)
    section.evaluate(DROP, "long " * 39)
    expect(toast).to_contain_text("long long")
    assert toast.get_by_test_id("stToastText").evaluate("at => at.scrollHeight <= at.clientHeight + 1")  # all of it
    expect(page.get_by_test_id("stToastViewButton")).to_be_hidden()
