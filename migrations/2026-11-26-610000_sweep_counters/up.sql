-- Counts of the mirror at the end of the last sweep, shown by `…/sync`. Counting a large mirror for each
-- request would exceed the statement timeout. Null until a sweep has ended; device_count is shown in place of
-- mirror_count then.
ALTER TABLE okta_syncs ADD COLUMN mirror_count bigint, ADD COLUMN unmatched_count bigint;
