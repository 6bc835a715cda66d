-- Takes back V4__drop_old_register_numbers.sql: the column returns with its values, as the last of the table
-- (PostgreSQL cannot put a column between others), from the copy that the migration kept.
-- flyback: risk low

ALTER TABLE artworks ADD COLUMN old_register_no text;

UPDATE artworks a
SET old_register_no = b.old_register_no
FROM artworks_register_before_v4 b
WHERE b.artwork_id = a.id;

DROP TABLE artworks_register_before_v4;

-- flyback: verify a register number for every work of the Harbour Museum that had one
SELECT id, old_register_no FROM artworks WHERE id IN (1, 2, 3) ORDER BY id;
-- expect: table (id, old_register_no)
-- 1 | HM-1904/17
-- 2 | HM-1911/03
-- 3 | NULL
