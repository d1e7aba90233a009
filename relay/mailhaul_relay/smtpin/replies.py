"""What the listener says, as bytes made once, and how a `Reply` becomes a line.

Every reply but the greeting, HELO, EHLO, 354 and 221 carries an enhanced code (RFC 2034, RFC 3463). docs/smtp.md lists
them all. Nothing here fails.
"""

from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin.limits import REPLY_LINE
from mailhaul_relay.spool.interface import SpoolError

OK = b"250 2.0.0 Ok\r\n"
SENDER_OK = b"250 2.1.0 Ok\r\n"
RECIPIENT_OK = b"250 2.1.5 Ok\r\n"
START_DATA = b"354 End data with <CR><LF>.<CR><LF>\r\n"
BYE = b"221 2.0.0 Bye\r\n"
START_TLS = b"220 2.0.0 Ready to start TLS\r\n"
HELP = b"214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY STARTTLS AUTH QUIT; see docs/smtp.md of Mailhaul\r\n"
VRFY = b"252 2.0.0 Not verified here; send the mail and see\r\n"

INTERNAL = Reply(451, "4.3.0", "Internal error, nothing was accepted; try again later")
STORAGE_FULL = Reply(452, "4.3.1", "No storage left for mail; try again later")
STORAGE_ERROR = Reply(451, "4.3.0", "The message could not be stored; try again later")
OVER_WATERMARK = Reply(452, "4.3.1", "The queue is full; try again later")
TOO_FAST = Reply(450, "4.7.1", "Too many messages in this minute from this client; try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients in one message; send the others in another one")
NO_HEAD_ROOM = Reply(452, "4.3.1", "Too many large headers at this moment; try again later")

LINE_TOO_LONG = Reply(500, "5.5.2", "Command line longer than 2048 octets")
BARE_LINE_END = Reply(500, "5.5.2", "Bare CR or LF in a command: end lines with CRLF")
CONTROL_CHARACTERS = Reply(500, "5.5.2", "Control characters in a command")
NOT_UTF8 = Reply(500, "5.5.2", "The command is not UTF-8")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognised")
NOT_OFFERED = Reply(502, "5.5.1", "Command not offered here")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
HELO_NEEDED = Reply(503, "5.5.1", "Send EHLO or HELO first")
EHLO_NEEDED = Reply(503, "5.5.1", "Send EHLO first")
HELO_SYNTAX = Reply(501, "5.5.4", "EHLO and HELO take your host name: at most 255 printable ASCII characters")
VRFY_SYNTAX = Reply(501, "5.5.4", "Syntax: VRFY address")
NESTED_MAIL = Reply(503, "5.5.1", "A sender was given already; send RSET first")
MAIL_NEEDED = Reply(503, "5.5.1", "Send MAIL first")
RCPT_NEEDED = Reply(503, "5.5.1", "Send RCPT first")
NO_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
TLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
AUTH_NEEDS_TLS = Reply(
    538, "5.7.11", "Passwords are taken under TLS only; send STARTTLS first, or use the port for TLS"
)
AUTH_FIRST = Reply(530, "5.7.0", "Authentication required; log in with an SMTP account of this relay")
AUTH_TWICE = Reply(503, "5.5.1", "Logged in already")
AUTH_IN_TRANSACTION = Reply(503, "5.5.1", "Log in before MAIL; send RSET first")
AUTH_ACCEPTED = b"235 2.7.0 Authentication successful\r\n"
AUTH_REFUSED = Reply(535, "5.7.8", "Name or password wrong")
AUTH_BANNED = Reply(454, "4.7.0", "Too many failed logins; try again in ten minutes")
AUTH_BUSY = Reply(454, "4.7.0", "Too many logins at this moment; try again later")
NO_ACCOUNTS = Reply(454, "4.7.0", "This relay has no SMTP accounts at this moment; see spec.clients.accounts")
TLS_ACTIVE = Reply(503, "5.5.1", "TLS is active already")
TLS_PIPELINED = Reply(503, "5.5.1", "Nothing may follow STARTTLS before its reply; what did was dropped")
NO_POSTMASTER = Reply(550, "5.1.1", "No postmaster is configured; set spec.postmaster of the relay")

MESSAGE_TOO_LARGE = Reply(552, "5.3.4", "Message is larger than the limit that EHLO names")
HEAD_TOO_LARGE = Reply(552, "5.3.4", "Message header is larger than 256 KiB")

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections; try again later")
TOO_MANY_FROM_CLIENT = Reply(421, "4.7.0", "Too many connections from your address; close some first")
UNAVAILABLE = Reply(421, "4.3.0", "Internal error; try again later")
STOPPING = Reply(421, "4.3.2", "The relay is stopping; try again later")
DRAINING = Reply(421, "4.3.2", "This replica is draining, try another replica; connecting again leads there")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
TOO_MANY_REFUSALS = Reply(421, "4.7.0", "Too many refused senders, recipients and messages")
TOO_MANY_LOGINS = Reply(421, "4.7.0", "Too many failed logins")
NOT_A_PROXY = Reply(421, "4.7.0", "This port is for proxies; see proxyProtocol.trustedNetworks of the listener")
NO_PROXY_HEADER = Reply(421, "4.7.0", "A PROXY protocol header was expected")
TOO_MUCH_TALK = Reply(421, "4.7.0", "Too many commands without mail")
NOT_HTTP = Reply(421, "4.7.0", "This is SMTP, not HTTP")
IDLE = Reply(421, "4.4.2", "Nothing was heard for too long")
SESSION_OVER = Reply(421, "4.7.0", "The session took too long; connect again")


def render(reply: Reply) -> bytes:
    """Give a reply as one line of at most 512 octets of printable ASCII, whatever its text holds."""
    line = str(reply).encode("ascii", "backslashreplace")[: REPLY_LINE - 2]
    if not line.isascii() or not line.decode().isprintable():
        line = bytes(octet if 0x20 <= octet < 0x7F else 0x3F for octet in line)
    return line + b"\r\n"


def of_spool_error(error: SpoolError) -> Reply:
    """Give the reply for mail that could not be stored: the client keeps it and tries again."""
    return STORAGE_FULL if error.full else STORAGE_ERROR
