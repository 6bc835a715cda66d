-- Takes back V3__first_inventory.sql: exactly the rows that it brought, by key, those that refer to others first.
-- What was entered since stays; where such a row refers to one of these, its foreign key stops the rollback.
-- flyback: risk medium
-- flyback: allow-loss handling_log, condition_reports, loan_items, loans, artwork_photos, artworks, categories, staff, institutions
-- Without triggers off, because the foreign keys are what protects the rows of others here.
-- flyback: triggers keep

DELETE FROM handling_log WHERE id IN (1, 2, 3);
DELETE FROM condition_reports WHERE id IN (1, 2);
DELETE FROM loan_items WHERE (loan_id, artwork_id) IN ((1, 1), (1, 2), (2, 3));
DELETE FROM loans WHERE id IN (1, 2);
DELETE FROM artwork_photos WHERE artwork_id IN (1, 3) AND file_name IN ('storm-front.tif', 'storm-back.tif', 'fortuna.tif');
DELETE FROM artworks WHERE id IN (1, 2, 3, 4);
DELETE FROM categories WHERE id IN (1, 2, 3);
DELETE FROM staff WHERE id IN (1, 2, 3);
DELETE FROM institutions WHERE id IN (1, 2, 3);

-- flyback: verify the first works are gone
SELECT id, title FROM artworks WHERE id <= 4;
-- expect: no rows

-- flyback: verify the three institutions are gone
SELECT count(*) FROM institutions WHERE id IN (1, 2, 3);
-- expect: 0
