-- Versions never decrease, so the increased ones stay.
SELECT 1;
