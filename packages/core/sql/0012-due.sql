-- When the time of a queued run had come, where it was woken by that: no entry
-- says it before the takeover does.

alter table holdfast.runs add column due_at timestamptz;
