"""A mail's HTML written anew, so that looking at it asks nobody for anything.

`inbox_pages` serves it into a frame without scripts and under a policy without sources; this is the guard before those,
for some hints of a page to its browser (`<link rel=preconnect>`) know no policy. Only known elements and attributes are
written, and every `<` of the result is one that was written here, so how a browser reads the original does not matter.
Links lead nowhere: their addresses are given beside it. It never fails and takes linear time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from mailhaul_relay.http.html_tokens import Tag, Text, tokens

MAX_HTML = 1024 * 1024
"""Characters of HTML that are looked at."""
MAX_LINKS = 200
_MAX_LINK = 2000

_ELEMENTS_AS_TEXT = (
    "a abbr address article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd del"
    " details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main"
    " mark menu nav ol p pre q rp rt ruby s samp section small span strike strong style sub summary sup table tbody"
    " td tfoot th thead time tr tt u ul var wbr"
)
_ELEMENTS = frozenset(_ELEMENTS_AS_TEXT.split())
_VOID = frozenset({"br", "col", "hr", "img", "wbr"})
_ATTRIBUTES_AS_TEXT = (
    "align alt bgcolor border cellpadding cellspacing class color cols colspan dir face height hspace id lang name"
    " noshade nowrap open reversed role rowspan rules scope size span start style summary title type valign value"
    " vspace width"
)
_ATTRIBUTES = frozenset(_ATTRIBUTES_AS_TEXT.split())
_IMAGE_TYPES = ("png", "jpeg", "jpg", "gif", "webp", "bmp", "avif")
_DATA = tuple(f"data:image/{kind};base64," for kind in _IMAGE_TYPES)
# What makes a style sheet ask for something; literals only, so that nothing can go back.
_FETCHING = re.compile(r"@import|url\(|src\(|image\(|image-set\(|cross-fade\(", re.IGNORECASE)
_LINKED = ("http:", "https:", "mailto:", "tel:", "ftp:")


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """What may be shown. `links` are the addresses that the mail leads to, each once; `remote` counts the images that
    are not shown, since they are elsewhere.
    """

    html: str
    links: tuple[str, ...]
    remote: int
    cut: bool


def safe_html(html: str, images: Callable[[str], str]) -> SafeHtml:
    """Write HTML anew. `images` gives the `data:` address for a content id (RFC 2392), "" for none."""
    writer = _Writer(images)
    for token in tokens(html[:MAX_HTML]):
        writer.write(token)
    return SafeHtml("".join(writer.out), tuple(writer.links), writer.remote, len(html) > MAX_HTML)


def image_type(content_type: str) -> str:
    """Give the type under which an image may be shown, "" when it may not; SVG is a document and no image."""
    kind = content_type.removeprefix("image/")
    return f"image/{kind}" if content_type.startswith("image/") and kind in _IMAGE_TYPES else ""


class _Writer:
    def __init__(self, images: Callable[[str], str]) -> None:
        self._images = images
        self.out: list[str] = []
        self.links: dict[str, None] = {}
        self.remote = 0

    def write(self, token: Text | Tag) -> None:
        if isinstance(token, Text):
            self.out.append(escape(token.text, quote=False))
        elif token.name not in _ELEMENTS:
            return
        elif token.is_closing:
            if token.name not in _VOID:
                self.out.append(f"</{token.name}>")
        elif token.name == "style":
            # Without one `<` nothing in it ends it or begins something else; its close tag follows.
            self.out.append("<style>" + self._css(token.raw.replace("<!--", "")).replace("<", "\\3c "))
        else:
            self.out.append(f"<{token.name}{self._attributes(token)}>")

    def _attributes(self, tag: Tag) -> str:
        kept = [(name, value) for name, value in tag.attributes if name in _ATTRIBUTES or name.startswith("aria-")]
        kept = [(name, self._css(value) if name == "style" else value) for name, value in kept]
        given = dict(tag.attributes)
        if tag.name == "a" and "href" in given:
            kept += self._link(given["href"].strip(), has_title="title" in given)
        if tag.name == "img":
            kept += self._image(given.get("src", "").strip())
        if "background" in given and (shown := self._shown(given["background"].strip())):
            kept.append(("background", shown))
        return "".join(f' {name}="{escape(value)}"' for name, value in kept if _is_name(name))

    def _link(self, target: str, *, has_title: bool) -> list[tuple[str, str]]:
        if target.startswith("#"):
            return [("href", target)]
        if target.lower().startswith(_LINKED) and len(self.links) < MAX_LINKS:
            self.links.setdefault(target[:_MAX_LINK])
        return [("href", "#"), *([] if has_title else [("title", target[:_MAX_LINK])])]

    def _image(self, source: str) -> list[tuple[str, str]]:
        shown = self._shown(source)
        if not shown and source:
            self.remote += 1
        return [("src", shown)] if shown else []

    def _css(self, css: str) -> str:
        """Give styles that ask for nothing. Escapes go first: they can spell every word."""
        plain = css.replace("\\", "")

        def kept(found: re.Match[str]) -> str:
            word = found[0].lower()
            source = plain[found.end() : found.end() + 80].lstrip(" \t\r\n\"'")
            if word == "url(" and source.lower().startswith(_DATA):
                return word
            self.remote += word == "url("
            return "@none" if word == "@import" else "none("

        return _FETCHING.sub(kept, plain)

    def _shown(self, source: str) -> str:
        if source[:4].lower() == "cid:":
            return self._images(source[4:])
        return source if source[:40].lower().startswith(_DATA) else ""


def _is_name(name: str) -> bool:
    return name.replace("-", "").isalnum() and name.isascii()
