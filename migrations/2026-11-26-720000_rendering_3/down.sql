-- Versions that were counted up stay: they never go back.
SELECT 1;
