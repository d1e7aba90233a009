"""Where an exception came from, for the log: places in the code and no values, for values are other people's mail."""

import traceback


def where(error: BaseException, depth: int = 3) -> str:
    """Give the innermost frames as `module.py:line function`, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-depth:]
    return ", ".join(f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in frames)
