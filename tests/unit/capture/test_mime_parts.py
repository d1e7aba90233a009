"""The parts of a message are those that the standard library finds, for all mail that it writes itself."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.http.mime_parts import bytes_of, headers_of, parts_of

_NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=30)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cs", "Cc"]), max_size=200)


@st.composite
def _mail(draw: st.DrawFn) -> EmailMessage:
    mail = EmailMessage(policy.SMTP)
    mail["Subject"] = draw(_NAMES)
    mail.set_content(draw(_TEXTS), cte=draw(st.sampled_from(["base64", "quoted-printable"])))
    if draw(st.booleans()):
        mail.add_alternative(f"<p>{draw(_TEXTS)}", subtype="html")
    for _ in range(draw(st.integers(0, 3))):
        content = draw(st.binary(max_size=300))
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=draw(_NAMES))
    if draw(st.booleans()):
        inner = EmailMessage()
        inner.set_content(draw(_TEXTS))
        mail.add_attachment(inner)
    return mail


def _leaves(mail: EmailMessage) -> list[EmailMessage]:
    if mail.get_content_maintype() == "multipart":
        return [leaf for part in mail.iter_parts() if isinstance(part, EmailMessage) for leaf in _leaves(part)]
    return [mail]


@given(_mail())
def test_parts_their_names_and_their_bytes_are_those_of_the_standard_library(mail: EmailMessage) -> None:
    content = mail.as_bytes()
    parsed = BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(content)
    expected, found = _leaves(parsed), parts_of(content)
    assert [one.content_type for one in found] == [one.get_content_type() for one in expected]
    assert [one.name for one in found] == [one.get_filename("") for one in expected]
    assert [one.is_attachment for one in found] == [one.is_attachment() for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        if ours.content_type != "message/rfc822":
            assert bytes_of(content, ours) == theirs.get_payload(decode=True)


@given(_mail())
def test_header_fields_are_those_of_the_standard_library(mail: EmailMessage) -> None:
    content = mail.as_bytes()
    parsed = BytesParser(policy=policy.compat32).parsebytes(content)
    expected = [(name, "".join(str(value).splitlines())) for name, value in parsed.items()]
    assert list(headers_of(content)) == expected


def test_a_multipart_whose_boundary_stands_nowhere_is_a_part_as_a_whole() -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nhello\r\n"
    (part,) = parts_of(content)
    assert (part.content_type, bytes_of(content, part)) == ("multipart/mixed", b"hello\r\n")
