ALTER TABLE okta_syncs DROP COLUMN unmatched_count, DROP COLUMN mirror_count;
