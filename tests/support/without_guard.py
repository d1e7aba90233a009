"""A pytest plugin that takes one guard of the listener out for the whole run: `-p tests.support.without_guard`.

The variable MAILHAUL_WITHOUT_GUARD names it, as `tests/support/guards.py` does.
"""

import os

from tests.support.guards import guards, taken_out

_GUARD = next(one for one in guards() if one.name == os.environ["MAILHAUL_WITHOUT_GUARD"])
_REMOVAL = taken_out(_GUARD)
_REMOVAL.__enter__()
