"""The data plane: a mail comes in by `smtpin`, is made safe by `spool`, and leaves by `queue` and `smtpout`."""
