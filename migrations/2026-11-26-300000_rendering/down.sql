-- Versions that were counted up stay: they never go back.
ALTER TABLE platforms DROP COLUMN identifiers_since;
