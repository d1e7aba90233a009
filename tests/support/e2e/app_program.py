"""How applications send by their settings, run in a pod: a job in JSON on standard input, what became of it on output.

`use_tls` as Django (Authentik) reads it: STARTTLS or not. `opportunistic` as Grafana behaves unless it is told
otherwise: STARTTLS when the server offers it, and then the certificate must be good for the name.
"""

import json
import smtplib
import ssl
import sys

SECONDS = 20


def send(job: dict[str, str | int | bool]) -> str:
    """Send one mail; gives "sent", or the error."""
    sender, recipient, subject = str(job["from"]), "user@example.net", str(job["subject"])
    try:
        host, port = str(job["host"]), int(job["port"])
        # With a name of its own it asks no DNS for one, which here takes seconds.
        with smtplib.SMTP(host, port, local_hostname="app.example.com", timeout=SECONDS) as connection:
            connection.ehlo()
            if job["use_tls"] or (job["opportunistic"] and connection.has_extn("starttls")):
                connection.starttls(context=ssl.create_default_context())
                connection.ehlo()
            text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nhello\r\n"
            connection.sendmail(sender, [recipient], text)
    except (OSError, smtplib.SMTPException) as error:
        return repr(error)
    return "sent"


if __name__ == "__main__":
    sys.stdout.write(send(json.load(sys.stdin)))
