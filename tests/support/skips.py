"""What a test run says at its end: what was skipped, and why."""

from collections import Counter


def skip_line(reasons: Counter[str]) -> str:
    """Say what was skipped: `3 tests need X; 1 test needs Y`, most frequent first."""
    if not reasons:
        return "Skipped nothing."
    parts = [f"{count} test{'s' if count > 1 else ''} ({reason})" for reason, count in reasons.most_common()]
    return f"Skipped {sum(reasons.values())}: {'; '.join(parts)}."
