-- What `…/sync` shows of the mirror, as of the end of the last sweep: to count a large mirror for each
-- question takes longer than a statement may. Null until a sweep has ended; device_count stands in for
-- the first of the two.
ALTER TABLE okta_syncs ADD COLUMN mirror_count bigint, ADD COLUMN unmatched_count bigint;
