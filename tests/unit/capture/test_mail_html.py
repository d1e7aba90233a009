"""A mail's HTML written anew: what a reader wants to see stays, and nothing in it can ask anybody for anything."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.http.mail_html import MAX_LINKS, image_type, safe_html

CANARY = "evil.example"


class Seen(HTMLParser):
    """The elements and attributes that a browser would find."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.values: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [value or "" for name, value in attrs if name in {"href", "src", "background"}]


def _html(html: str) -> str:
    return safe_html(html, lambda _: "").html


@pytest.mark.parametrize(
    ("html", "written"),
    [
        ("<p>Hello <b>you</b></p>", "<p>Hello <b>you</b></p>"),
        ("a &lt; b &amp; c", "a &lt; b &amp; c"),
        ('<td bgcolor="#fff" width=1 style="color:red">x', '<td bgcolor="#fff" width="1" style="color:red">x'),
        ("<STYLE><!-- p > a {color:red} --></STYLE>", "<style> p > a {color:red} --></style>"),
        ("<br/><hr/>", "<br><hr>"),
        ("<!doctype html><!-- x --><?xml?><html><body>x</body></html>", "<body>x</body>"),
        ("<o:p>Office</o:p>", "Office"),
        ("1 < 2", "1 &lt; 2"),
        ("<a href='#top'>up</a>", '<a href="#top">up</a>'),
        ("<noscript>shown</noscript>", "shown"),
        ("<p title='\"><script>'>x", '<p title="&quot;&gt;&lt;script&gt;">x'),
    ],
)
def test_what_a_reader_wants_to_see_stays(html: str, written: str) -> None:
    assert _html(html) == written


ASKING = [
    "<script src=//evil.example></script>",
    "<script>fetch('//evil.example')</script>",
    "<link rel=stylesheet href=//evil.example>",
    "<link rel=preconnect href=//evil.example>",
    "<link rel=dns-prefetch href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<iframe src=//evil.example></iframe>",
    "<iframe srcdoc='<link rel=preconnect href=//evil.example>'></iframe>",
    "<img src=//evil.example>",
    "<img src='https://evil.example' srcset='//evil.example 2x'>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<picture><source srcset=//evil.example><img></picture>",
    "<video poster=//evil.example src=//evil.example></video>",
    "<object data=//evil.example></object><embed src=//evil.example>",
    "<form action=//evil.example><input type=image src=//evil.example></form>",
    "<a href=//evil.example ping=//evil.example>x</a>",
    "<a href='javascript:alert(1)'>x</a>",
    "<body background=//evil.example onload=alert(1)>",
    "<svg><image href=//evil.example /><use href=//evil.example /></svg>",
    "<svg><style><link rel=preconnect href=//evil.example></style></svg>",
    "<math><mtext><style><img src=//evil.example></style></mtext></math>",
    "<style></style><link rel=preconnect href=//evil.example>",
    "<style>a</sty<link rel=preconnect href=//evil.example>",
    "<title><link rel=preconnect href=//evil.example></title>",
    "<textarea></textarea><link rel=preconnect href=//evil.example>",
    "<template shadowrootmode=open><link rel=preconnect href=//evil.example></template>",
    "<!--><link rel=preconnect href=//evil.example>-->",
    "<!-- --!><link rel=preconnect href=//evil.example>-->",
    "<![CDATA[<link rel=preconnect href=//evil.example>]]>",
    "<p title='<link rel=preconnect href=//evil.example>",
    "<lin\x00k rel=preconnect href=//evil.example>",
    "<link/rel=preconnect/href=//evil.example>",
    '<a ="<link rel=preconnect href=//evil.example>">',
    "<xmp><link rel=preconnect href=//evil.example></xmp>",
    "&lt;link rel=preconnect href=//evil.example&gt;",
]
LOOKS_ONLY = {"a", "p", "img", "body", "style", "td"}


@pytest.mark.parametrize("html", ASKING)
def test_nothing_that_could_ask_somebody_is_written(html: str) -> None:
    seen = Seen(_html(html))
    assert set(seen.elements) <= LOOKS_ONLY
    assert not seen.attributes & {"ping", "srcset", "onload", "poster", "action"}
    assert not [value for value in seen.values if value != "#"]


PIECES = [
    "<", ">", "</", "/>", "<!--", "-->", "<style>", "</style", "<svg>", "<link ", "<iframe ", "rel=preconnect", "<a",
    "a", " href=//evil.example", '"', "'", "=", " ", "\n", "\x00", "&lt;", "&#60;", "<![CDATA[", "]]>", "<title>",
    "</title",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_every_tag_of_the_result_is_one_that_was_written_here(html: str) -> None:
    written = _html(html)
    for piece in written.split("<")[1:]:
        name = piece.lstrip("/").split(">")[0].split(" ")[0]
        assert name in {"a", "style"}, written


def test_links_are_given_beside_and_lead_nowhere() -> None:
    html = "<a href='https://a.example/?x=1&amp;y=2'>go</a><a href='mailto:b@c.example'>b</a>"
    safe = safe_html(html, lambda _: "")
    assert safe.links == ("https://a.example/?x=1&y=2", "mailto:b@c.example")
    assert safe.html.startswith('<a href="#" title="https://a.example/?x=1&amp;y=2">go</a>')


def test_links_are_bounded_and_each_is_given_once() -> None:
    html = "".join(f"<a href=http://a.example/{number % 300}>x</a>" for number in range(900))
    assert len(safe_html(html, lambda _: "").links) == MAX_LINKS


def test_remote_images_are_counted() -> None:
    assert safe_html("<img src=http://a.example/1><img src=//b.example/2><img alt=x>", lambda _: "").remote == 2


@pytest.mark.parametrize(
    "css",
    [
        "background: url(http://evil.example)",
        "background: URL( 'http://evil.example' )",
        "background: u\\72l(http://evil.example)",
        "background: \\75\\72\\6c(http://evil.example)",
        "background: url(//evil.example/data:image/png;base64,)",
        "background: image-set('http://evil.example' 1x)",
        "background: -webkit-image-set(url(http://evil.example) 1x)",
        "background: src('http://evil.example')",
        "@import 'http://evil.example'",
        "@IMPORT url(http://evil.example)",
        "@\\69mport 'http://evil.example'",
    ],
)
def test_styles_ask_for_nothing(css: str) -> None:
    for html in (f"<style>{css}</style>", f'<p style="{css}">x'):
        written = _html(html).lower()
        assert "url(" not in written
        assert "set(" not in written
        assert "src(" not in written
        assert "@import" not in written


def test_an_image_within_a_style_stays() -> None:
    assert _html("<p style='background:url(\"data:image/png;base64,QQ==\")'>") == (
        '<p style="background:url(&quot;data:image/png;base64,QQ==&quot;)">'
    )


def test_own_images_are_shown() -> None:
    own = {"a@b": "data:image/png;base64,QQ=="}
    safe = safe_html("<img src='CID:a@b' alt=x><table background='cid:a@b'>", own.__getitem__)
    assert safe.html == (
        '<img alt="x" src="data:image/png;base64,QQ=="><table background="data:image/png;base64,QQ==">'
    )
    assert safe.remote == 0


@pytest.mark.parametrize(
    ("kind", "shown"), [("image/png", "image/png"), ("image/svg+xml", ""), ("text/png", ""), ("image/", "")]
)
def test_only_pictures_are_images(kind: str, shown: str) -> None:
    assert image_type(kind) == shown
