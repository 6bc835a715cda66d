-- Takes back V1__create_collection.sql.
-- flyback: risk high
-- flyback: allow-loss artwork_photos, artworks, categories, staff, institutions

DROP TABLE artwork_photos;
DROP TABLE artworks;
DROP TABLE categories;
DROP TABLE staff;
DROP TABLE institutions;

-- flyback: verify nothing of the collection is left
SELECT count(*)
FROM information_schema.tables
WHERE table_schema = current_schema()
    AND table_name IN ('artwork_photos', 'artworks', 'categories', 'staff', 'institutions');
-- expect: 0
