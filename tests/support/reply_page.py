"""Writes docs/replies.md from the classifier's table: `python -m tests.support.reply_page > docs/replies.md`."""

from mailhaul_relay.model.outcome import Verdict
from mailhaul_relay.smtpout.reply_table import Row, doubts, rows

INTRODUCTION = """\
# What the replies of providers mean

Made from `relay/mailhaul_relay/smtpout/replies.toml` by `python -m tests.support.reply_page > docs/replies.md`.

A reply of an upstream (or an exception) becomes one of five outcomes: *delivered*, *retry* (tried again later), *hold*
(kept until its cause is mended; tried again by itself, told in status), *failed* (this recipient or message will not be
taken), *unknown* (the connection was lost after the final dot). The first row that matches decides. Quota, login and
sender trouble is always *hold*, whatever the reply's digits say: such mail does not bounce before it expires. Only a
row fails mail, and only for a wrong recipient, refused content, a size or a missing capability; in doubt mail is held.
Nobody fails by what was said of somebody else: where one reply after the final dot refuses a recipient and the message
had several, each of them gets a transaction of its own, and content that is refused for some is sent to the others all
the same. At RCPT, what asks for a login or TLS in a session that has it, or refuses the sender of mail that is taken
for another recipient, is *hold*, of that recipient.

Patterns (RE2, case ignored) are looked for in the reply without e-mail addresses and without the domains of the mail,
so that nobody steers the relay by the name of a recipient. A row that would stop other mail too (the upstream, the
login, a quota, the sender) must also be found without the names before the @, where the reply repeats them and they are
marked as names ("quota-exceeded... User unknown"); a recipient's plain word ("daily") goes out too where the rest is a
row that fails mail. What fails only without these names is *hold* (a 45x: *retry*), of the recipient.

A row does not match where what it names after "unless" is found. Two answers look at the addresses after all: a
recipient said to be unknown whose name is the sender's own address or domain is *hold* (sender), and Amazon's list of
unverified identities is a matter of the sandbox when it names recipients only.

| rule | providers | where | reply | fault | outcome | what to do |
|---|---|---|---|---|---|---|
"""
DOUBT = """
## Words of doubt
Where one of these is found no row of any server fails mail, whatever else the reply says and whatever its digits are:
they speak of time, of a part of the server that is out of order, or of one's own login, account and settings, next to
which "user unknown" proves nothing. Such a reply goes on to the rows that keep it.

Beyond that, these rows fail mail only where every word of the reply is in one of the lists of `understood` in
`replies.toml` that the row names after *says nothing else than* (numbers, names of hosts and addresses of pages aside).

"""
END = """
## Replies that no row knows
They are counted in `mailhaul_unmatched_replies_total`, logged as `reply-unmatched` and
[listed by `mailhaul replies`](queue.md#replies-that-no-rule-knows); please report them, so that the table grows. They
fall back by stage and class. Before MAIL: retry (connection or TLS). At AUTH: hold (auth). Later a 4xx: retry
(transient). A 5xx at MAIL: hold (sender); at RCPT: hold (recipient); at DATA: hold (transient); after the final dot:
hold (content). A positive reply where none is due: retry (protocol), after the final dot: unknown.

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
    table = "".join(f"{_line(row)}\n" for row in rows())
    doubt = "".join(f"- `{pattern}`\n" for pattern in doubts())
    return INTRODUCTION + table + DOUBT + doubt + END


def _line(row: Row) -> str:
    codes = ", ".join(f"{code}xx" if code < 10 else str(code) for code in sorted(row.codes))
    exception = f"unless {_words(row.unless)}" if row.unless else ""
    only = f"and says nothing else than {', '.join(row.only_lists)}" if row.only else ""
    parts = (codes, ", ".join(sorted(row.enhanced)), _words(row.text), exception, only)
    reply = " ".join(part for part in parts if part)
    remedy = f"{row.remedy} [More]({row.docs})" if row.docs else row.remedy
    where = ", ".join(sorted(stage.value for stage in row.stages)) or "anywhere"
    providers = ", ".join(sorted(row.profiles)) or "any"
    return f"| {row.name} | {providers} | {where} | {reply} | {row.fault} | {OUTCOMES[row.verdict]} | {remedy} |"


def _words(pattern: str) -> str:
    """A pattern as code in a cell of a table."""
    return f"`{pattern}`".replace("|", "\\|") if pattern else ""


if __name__ == "__main__":
    print(page(), end="")
