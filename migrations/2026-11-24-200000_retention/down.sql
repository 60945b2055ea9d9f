DROP FUNCTION delete_old_events(text);
DROP INDEX devices_deleted;
DROP INDEX events_by_age;
