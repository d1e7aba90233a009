"""Writes docs/replies.md from the classifier's table: `python -m tests.support.reply_page > docs/replies.md`."""

from mailhaul_relay.model.outcome import Verdict
from mailhaul_relay.smtpout.reply_table import Row, rows

INTRODUCTION = """\
# What the replies of providers mean

Made from `relay/mailhaul_relay/smtpout/replies.toml` by `python -m tests.support.reply_page > docs/replies.md`.

A reply of an upstream (or an exception) becomes one of five outcomes: *delivered*, *retry* (tried again later), *hold*
(kept until its cause is mended; tried again by itself, told in status), *failed* (this recipient or message will not be
taken), *unknown* (the connection was lost after the final dot). The first row that matches decides. Quota, login and
sender trouble is always *hold*, whatever the reply's digits say: such mail does not bounce before it expires.

| rule | providers | where | reply | fault | outcome | what to do |
|---|---|---|---|---|---|---|
"""
END = """
## Replies that no row knows
They are judged by stage and class, counted in `mailhaul_unmatched_replies_total` and logged as `reply-unmatched`;
please report them. Before MAIL: retry (connection or TLS); at AUTH: hold (auth). 4xx later: retry (transient). 5xx at
MAIL: hold (sender), at RCPT: failed (recipient), at DATA and after the final dot: failed (content). A positive reply
where none is due: retry (protocol), after the final dot: unknown.

## Exceptions
| what happened | fault | outcome |
|---|---|---|
| connection refused, reset, lost, timed out; name not found | connection | retry |
| certificate not valid for the name, expired, of an unknown authority | tls | hold |
| other TLS trouble | tls | retry |
| STARTTLS not offered, or plain text injected after it | tls | hold |
| AUTH not offered, no credential | auth | hold |
| bytes that are no SMTP | protocol | retry |
| any of them after the final dot was handed to the socket | connection, protocol | unknown |
| the message's own file cannot be read | transient | retry |
"""
OUTCOMES = {Verdict.RETRY: "retry", Verdict.HOLD: "hold", Verdict.FAILED: "failed"}


def page() -> str:
    """Give the whole page."""
    return INTRODUCTION + "".join(f"{_line(row)}\n" for row in rows()) + END


def _line(row: Row) -> str:
    codes = ", ".join(f"{code}xx" if code < 10 else str(code) for code in sorted(row.codes))
    words = f"`{row.text}`".replace("|", "\\|") if row.text else ""
    reply = " ".join(part for part in (codes, ", ".join(sorted(row.enhanced)), words) if part)
    remedy = f"{row.remedy} [More]({row.docs})" if row.docs else row.remedy
    where = ", ".join(sorted(stage.value for stage in row.stages)) or "anywhere"
    providers = ", ".join(sorted(row.profiles)) or "any"
    return f"| {row.name} | {providers} | {where} | {reply} | {row.fault} | {OUTCOMES[row.verdict]} | {remedy} |"


if __name__ == "__main__":
    print(page(), end="")
