"""Pure decisions: functions from values to values. Nothing here knows a clock, a socket or a loop."""
