"""The first page, and how lmviz is installed."""

from __future__ import annotations

from html import escape

from lmviz.site.frame import DOORS, HOME, SitePage, link, path_of, way
from lmviz.site.markdown import inline
from lmviz.ui.text import LANGUAGES, Language, Translator

INSTALL = "install"
_COMMANDS = {  # by the sentence that stands above each
    "site.install.get": "pip install .",
    "site.install.open": "lmviz",
    "site.install.own": "lmviz model.py",
    "site.install.page": "lmviz page names walk.html --text .mar",
}


def home(lang: Language, walk: str) -> SitePage:
    """What this is, in the reader's language and in a sentence of the others; its doors; and a walk to try at once."""
    t, here = Translator(lang), path_of(HOME, lang)
    doors = "".join(f"<li>{_door(t, here, door)}</li>" for door in DOORS)
    others = "".join(_in_other(here, other) for other in LANGUAGES if other != lang)
    title = t("site.try")
    body = [
        f'<h1>{escape(t("site.title"))}</h1><p class="lead">{escape(t("site.lead"))}</p>{others}',
        f'<ul class="cards">{doors}</ul>',
        f"<h2>{link(here, walk, title)}</h2><p>{escape(t('site.try.say'))}</p>",
        f'<iframe class="tall" title="{escape(title)}" src="{escape(way(here, walk))}" loading="lazy"></iframe>',
    ]
    return SitePage(HOME, lang, f"lmviz · {t('site.title')}", "".join(body))


def _door(t: Translator, here: str, door: str) -> str:
    key = f"site.door.{door.partition('/')[0]}"
    return f"{link(here, path_of(door, t.language), t(key))}<p>{escape(t(f'{key}.say'))}</p>"


def _in_other(here: str, lang: Language) -> str:
    t = Translator(lang)
    door = link(here, path_of(HOME, lang), t("site.title"))
    return f'<p class="other" lang="{lang}">{door}. {escape(t("site.lead"))}</p>'


def install(lang: Language) -> SitePage:
    t = Translator(lang)
    steps = "".join(
        f'<li><p>{inline(t(key))}</p><pre tabindex="0"><code>{escape(command)}</code></pre></li>'
        for key, command in _COMMANDS.items()
    )
    body = [
        f'<h1>{escape(t("site.door.install"))}</h1><p class="lead">{escape(t("site.install.say"))}</p>',
        f'<ol class="tasks">{steps}</ol><p>{inline(t("site.install.linux"))}</p>',
    ]
    return SitePage(INSTALL, lang, t("site.door.install"), "".join(body))
