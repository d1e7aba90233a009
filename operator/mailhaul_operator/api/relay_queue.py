"""The part of an SmtpRelay about mail that waits: where it lies, when it is tried again, when it expires.

What cannot be changed is refused as an update (`Transition`). Failures: see `part`.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from mailhaul_operator.api.amounts import Duration
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.relay_workload import QueueMode, QueueStorage
from mailhaul_operator.api.rules import Rule, Transition


class QueueRetry(Part):
    """The time between attempts, doubled from one to the next, with jitter."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "initial is longer than max; make it shorter",
            "!has(self.initial) || !has(self.max) || duration(self.initial) <= duration(self.max)",
            lambda retry: retry.initial <= retry.max,
            field="initial",
        ),
    )

    initial: Annotated[int, Duration("1s", "24h")] = 60
    """After the first attempt."""
    max: Annotated[int, Duration("1s", "168h")] = 3600
    """The longest."""


class QueueDeadLetters(Part):
    """Mail that failed for good."""

    keep_for: Annotated[int, Duration("1m", "8760h")] = 2_592_000
    """How long it is kept for a person, who may look at it, retry it, or drop it sooner."""


class QueueWatermark(Part):
    """How much mail may wait before clients are told to come again later (452)."""

    messages: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Number of messages."""


def _storage_has_an_effect(queue: Any) -> bool:  # noqa: ANN401 - a RelayQueue, defined below
    return queue.mode is QueueMode.PERSISTENT or queue.storage == QueueStorage()


def _mode_is_kept(old: Any, new: Any) -> bool:  # noqa: ANN401 - two RelayQueues
    return old.mode in {new.mode, QueueMode.EPHEMERAL}


def _class_is_kept(old: Any, new: Any) -> bool:  # noqa: ANN401 - as above
    return old.mode is QueueMode.EPHEMERAL or old.storage.storage_class_name == new.storage.storage_class_name


def _volume_only_grows(old: Any, new: Any) -> bool:  # noqa: ANN401 - as above
    return QueueMode.EPHEMERAL in {old.mode, new.mode} or old.storage.size <= new.storage.size


# The API server tries each rule on the default itself, an empty object, before it fills in the members' defaults.
_UNSET = "!has(self.mode) || !has(oldSelf.mode)"
_SAME_CLASS = (
    f"{_UNSET} || oldSelf.mode == 'Ephemeral'"
    " || (has(self.storage.storageClassName) == has(oldSelf.storage.storageClassName)"
    " && (!has(self.storage.storageClassName) || self.storage.storageClassName == oldSelf.storage.storageClassName))"
)


class RelayQueue(Part):
    """Mail that was accepted and has not left yet."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "mode Ephemeral has no volume, so storage has no effect; remove storage, or set mode to Persistent",
            "!has(self.mode) || self.mode == 'Persistent'"
            " || (quantity(string(self.storage.size)).compareTo(quantity('2Gi')) == 0"
            " && !has(self.storage.storageClassName) && self.storage.whenDeleted == 'Retain')",
            _storage_has_an_effect,
            field="storage",
        ),
    )
    # They stand here, for a rule on a field is skipped when the field is removed and added again.
    TRANSITIONS: ClassVar[tuple[Transition, ...]] = (
        Transition(
            "mode cannot be changed from Persistent, for mail lies on the volumes; create another SmtpRelay, move the"
            " apps to it, then remove this one",
            f"{_UNSET} || self.mode == oldSelf.mode || oldSelf.mode == 'Ephemeral'",
            _mode_is_kept,
            field="mode",
        ),
        Transition(
            "storageClassName cannot be changed; create another SmtpRelay, move the apps to it, then remove this one",
            _SAME_CLASS,
            _class_is_kept,
            field="storage.storageClassName",
        ),
        Transition(
            "a volume cannot shrink; set size to what it was or more",
            f"{_UNSET} || oldSelf.mode == 'Ephemeral' || self.mode == 'Ephemeral'"
            " || quantity(string(self.storage.size)).compareTo(quantity(string(oldSelf.storage.size))) >= 0",
            _volume_only_grows,
            field="storage.size",
        ),
    )

    mode: QueueMode = QueueMode.PERSISTENT
    """Persistent keeps mail on a volume for each replica; Ephemeral loses it with the pod, and is for trying out.
    Only a change from Ephemeral is possible."""
    storage: QueueStorage = QueueStorage()
    """The volume of each replica, for mode Persistent."""

    retry: QueueRetry = QueueRetry()
    """The time between attempts."""
    expire_after: Annotated[int, Duration("1m", "720h")] = 432_000
    """Mail becomes a dead letter so long after it was accepted, held mail too."""
    high_watermark: QueueWatermark = QueueWatermark()
    """How much mail may wait."""
    dead_letters: QueueDeadLetters = QueueDeadLetters()
    """Mail that failed for good."""
