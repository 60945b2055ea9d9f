-- Secrets older than the previous one that are still accepted: an admin may rotate twice within a day while
-- Okta still has the first secret. A list of {sha256, valid_until}, newest first.
ALTER TABLE event_hooks ADD COLUMN older_secrets jsonb NOT NULL DEFAULT '[]';
