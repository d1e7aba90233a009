"""Bodies that tempt mail programs to change them; what was accepted must be what arrives, to the octet.

Each is given as the client means it: CRLF, not dot-stuffed. Every one ends with CRLF, as any message over SMTP does.
"""

import smtplib

BODIES: dict[str, bytes] = {
    "plain": b"hello\r\n",
    "dots": b".\r\n..\r\n...\r\n.hidden\r\n. \r\nend.\r\n.\r\n",
    "long line": b"x" * 70_000 + b"\r\n",
    "line of 998": b"y" * 998 + b"\r\n",
    "lines of 1000 dots": (b"." * 1000 + b"\r\n") * 3,
    "8-bit": "grüße, 你好, שלום\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
    "trailing blanks": b"blanks   \r\ntab\t\r\n \r\n\t\r\n  \r\n",
    "empty lines at the end": b"text\r\n\r\n\r\n\r\n",
    "empty lines at the start": b"\r\n\r\n\r\ntext\r\n",
    "From line": b"From nobody Thu Jan  1 00:00:00 1970\r\n>From here\r\n",
    "looks like a header": b"Bcc: nobody@example.net\r\nReturn-Path: <>\r\n\r\nX: y\r\n",
    "control characters": bytes(one for one in range(1, 32) if one not in {10, 13}) + b"\x7f\r\n",
    "large": b"".join(b"%07d .%s\r\n" % (n, b"z" * 60) for n in range(5000)),
}


def message(name: str) -> bytes:
    """Give a whole message with this body; its subject is the name."""
    subject = name.encode()
    head = b"From: App <app@example.com>\r\nTo: <b@example.net>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    rest = b"Message-ID: <%s@example.com>\r\nSubject: %s\r\n" % (subject.replace(b" ", b"-"), subject)
    kind = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    return head + rest + kind + b"\r\n" + BODIES[name]


def submit_all(port: int, names: "list[str] | None" = None) -> None:
    """Send them over one connection, declared as 8-bit; blocking. Raises what smtplib raises."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        for name in names or list(BODIES):
            client.mail("app@example.com", ["BODY=8BITMIME"])
            client.rcpt("b@example.net")
            code, text = client.data(message(name))
            if code != 250:
                raise smtplib.SMTPDataError(code, text)


def unstuffed(data: bytes) -> bytes:
    """Give a message as it was meant, from its wire form."""
    return data[1:].replace(b"\r\n.", b"\r\n") if data.startswith(b".") else data.replace(b"\r\n.", b"\r\n")


def subject_and_body(data: bytes) -> tuple[str, bytes]:
    """Give subject and body of a message in wire form."""
    head, _, body = unstuffed(data).partition(b"\r\n\r\n")
    return head.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode(), body
