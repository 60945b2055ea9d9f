ALTER TABLE event_hooks DROP COLUMN older_secrets;
