"""A captured message made readable: parts lie within it, in order, apart; it is bounded, and its HTML is safe."""

from tests.fuzz.targets.mail_html import check_safe

from mailhaul_relay.http.mail_html import SafeHtml
from mailhaul_relay.http.mail_text import _read, attachment_of
from mailhaul_relay.http.mime_parts import MAX_HEADERS, MAX_PARTS, Part, bytes_of, headers_of, parts_of

LONGEST = 1500
WORDS = (
    *(
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"\r\n--b\r\n",
        b"\r\n--b--\r\n",
        b"--b\n",
        b"\r\n\r\n",
        b"--b",
    ),
    *(b"Content-Type: text/html; charset=utf-7\r\n", b"Content-Transfer-Encoding: base64\r\n", b"multipart/digest"),
    *(b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Disposition: attachment; filename*0*=utf-8''%41"),
    *(
        b"Content-ID: <own>\r\n",
        b"image/png",
        b"message/rfc822",
        b'<img src="cid:own">',
        b"=3D=\r\n",
        b"QUJD",
        b"=?x?q?",
    ),
    *(b"Content-Type: text/plain; name*=utf-8'en'%ff; charset*1=x\r\n", b"boundary*0=b; boundary*1=c", b"utf-16"),
)


def check(data: bytes) -> None:
    """Take a message apart and show it."""
    assert len(headers_of(data)) <= MAX_HEADERS
    parts = parts_of(data)
    assert 0 < len(parts) <= MAX_PARTS
    end = 0
    for number, part in enumerate(parts):
        assert part.number == number
        assert end <= part.start <= part.end <= len(data), "parts overlap, or lie outside"
        end = part.end
        _check_part(data, part)
    shown = _read(data)
    check_safe(SafeHtml(shown.html, shown.links, shown.remote, shown.cut))
    assert len(shown.attachments) <= len(parts)
    assert not any("\n" in name or "\r" in name for name, _ in shown.headers), "a header's name on two lines"
    assert all(value == " ".join(value.split()) for _, value in shown.headers), "a header's value on two lines"
    assert attachment_of(data, len(parts)) is None


def _check_part(data: bytes, part: Part) -> None:
    content = bytes_of(data, part)
    assert len(content) <= part.end - part.start, "a part grows by its decoding"
    assert part.content_type.isascii()
    assert part.content_type.isprintable()
    assert " " not in part.content_type, "a type that could add a header"
    assert "\n" not in part.name
    assert "\r" not in part.name
    assert attachment_of(data, part.number) == (part, content)
