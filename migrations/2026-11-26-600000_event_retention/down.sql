DROP FUNCTION delete_old_events(text, timestamptz);
