"""The bounds that no configuration changes: what a client may make the relay hold or wait for. See docs/smtp.md.

Sizes in octets, times in seconds. What an administrator may choose is in the contract (`Limits`).
"""

COMMAND_LINE = 2048
"""A command line with its CRLF: RFC 5321 section 4.5.3.1.4 asks for 512, extensions add less than 600."""
HEAD = 262_144
"""The head of a message; it is held in memory until the message is accepted."""
HEAD_FREE = 16_384
"""Of a head, what every session may hold without asking `HeadBudget`."""
HEAD_BUDGET = 25_165_824
"""What the heads that are larger than `HEAD_FREE` may hold together, over all sessions."""
HELO_NAME = 255
REPLY_LINE = 512
"""A reply line with its CRLF (RFC 5321 section 4.5.3.1.5)."""
EXPANDED_RECIPIENTS = 1000
"""Recipients of one message after aliases were expanded."""

ERRORS = 20
"""Commands answered 5xx as wrong before the session ends with 421; a message that is accepted forgives them."""
REFUSALS = 1000
"""Senders, recipients and messages refused by policy before the session ends with 421, forgiven likewise."""

LOGINS = 3
"""Logins of a session that fail before it ends with 421 (RFC 4954 section 8 asks for a limit)."""
IDLE_TALK = 1000
"""Commands that begin nothing (EHLO, RSET, NOOP, VRFY, HELP) before the session ends with 421, forgiven likewise."""
COMMANDS_A_TURN = 100
"""Commands of one session that are taken before the other sessions have their turn."""

SOURCES = 4096
"""Clients whose judgement is remembered."""
REFUSALS_TOLD = 20
"""Refusals of a session that are logged one by one; of those that follow, every hundredth, with their number."""

COMMAND_IDLE = 300.0
"""Without a byte between commands (RFC 5321 section 4.5.3.2.7: at least 5 minutes)."""
DATA_IDLE = 180.0
"""Without a byte within a message (RFC 5321 section 4.5.3.2.5: 3 minutes for a block of data)."""
DATA_RATE = 512
"""Octets per second: a message that comes in at this rate or faster is not cut when the session's time is over."""
TLS_HANDSHAKE = 30.0
LINGER = 2.0
"""How long the last reply may take to be read before the connection is dropped."""
SWEEP = 1.0
"""How often the sessions' times are looked at."""

READ_COMMANDS = 16_384
"""Read at once between commands: what a client that pipelines may have waiting."""
READ_DATA = 32_768
"""Read at once at the beginning of a message."""
READ_MORE = 122_880
"""Read at once in a message that fills its reads; from 128 KiB on the C library maps and unmaps each buffer."""
WRITE_BACKLOG = 16_384
"""Replies that a client has not read before its next commands wait."""
BACKLOG = 1024
ACCEPT_BATCH = 64
"""Connections taken in one turn of the loop, so that a flood does not starve the sessions."""
ACCEPT_PAUSE = 1.0
"""Pause of accepting when the process has no descriptor or memory left."""
