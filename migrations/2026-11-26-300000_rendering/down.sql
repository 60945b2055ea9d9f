-- config_version never decreases, so it keeps its value.
ALTER TABLE platforms DROP COLUMN identifiers_since;
