"""HTML of a mail written anew: every tag in it is a known one, nothing asks anybody, and it does not grow.

The second reading is the standard library's parser, which reads unlike ours.
"""

from html.parser import HTMLParser

import re2

from mailhaul_relay.http.mail_html import _ATTRIBUTES, _DATA, _ELEMENTS, MAX_LINKS, SafeHtml, safe_html

LONGEST = 1500
WORDS = (
    *(b"<a href=", b"<img src=", b"<style>", b"</style", b"<!--", b"-->", b"<svg>", b"<script>", b"url(", b"@import"),
    *(
        b"//evil.example",
        b"data:image/png;base64,",
        b"cid:own",
        b"\\75rl(",
        b"&#60;",
        b"&lt",
        b"<![CDATA[",
        b" style='",
    ),
    *(b"<title>", b"</title", b"<xmp>", b"=", b'"', b"'", b"\0", b"image-set(", b"<table background=", b"/**/", b">"),
)
GROWTH = 12
"""Characters that one may become: `&quot;`, `\\3c `, and a title beside a link."""
OWN = "data:image/png;base64,QQ=="
_TAG = re2.compile(r"</?([a-z][a-z0-9]*)[ >]")
_STYLE_ASKS = ("url(", "@import", "image-set(", "src(", "image(", "cross-fade(")


class _Seen(HTMLParser):
    """What another reader finds: elements, attributes and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.attributes: list[tuple[str, str, str]] = []
        self.styles: list[str] = []
        self._in_style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _ELEMENTS, tag
        self._in_style = tag == "style"
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment was written: {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration was written: {decl!r}")


def check(data: bytes) -> None:
    """Write HTML anew, and look at it with other eyes."""
    html = data.decode("utf-8", "replace")
    safe = safe_html(html, lambda content_id: OWN if content_id == "own" else "")
    assert len(safe.html) <= GROWTH * len(html) + 100
    check_safe(safe)


def check_safe(safe: SafeHtml) -> None:
    """Look at what was written."""
    for at in _places(safe.html, "<"):
        found = _TAG.match(safe.html[at : at + 30])
        assert found, f"a tag that nobody wrote: {safe.html[at : at + 30]!r}"
        assert found[1] in _ELEMENTS, found[1]
    seen = _Seen(safe.html)
    for tag, name, value in seen.attributes:
        _check_attribute(tag, name, value)
    for style in seen.styles:
        _check_style(style)
    assert len(safe.links) <= MAX_LINKS


def _places(text: str, mark: str) -> list[int]:
    return [at for at, one in enumerate(text) if one == mark]


def _check_attribute(tag: str, name: str, value: str) -> None:
    if name in {"src", "background"}:
        assert value.lower().startswith(_DATA), f"{tag} {name} asks for {value!r}"
    elif name == "href":
        assert tag == "a"
        assert value.startswith("#"), f"a link leads to {value!r}"
    else:
        assert name in _ATTRIBUTES or name.startswith("aria-"), name
        if name == "style":
            _check_style(value)


def _check_style(css: str) -> None:
    lower = css.lower()
    assert "\\" not in lower.replace("\\3c ", ""), "an escape can spell any word"
    for word in _STYLE_ASKS:
        for at in (at for at in range(len(lower)) if lower.startswith(word, at)):
            source = lower[at + len(word) :].lstrip(" \t\r\n\"'")
            assert word == "url(" and source.startswith(_DATA), f"a style asks: {css[at : at + 60]!r}"  # noqa: PT018
