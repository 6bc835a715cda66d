-- The register of paper is closed. The values stay beside the table, by key, so that they can be put back.
CREATE TABLE artworks_register_before_v4 (
    artwork_id      integer PRIMARY KEY,
    old_register_no text NOT NULL
);
INSERT INTO artworks_register_before_v4 (artwork_id, old_register_no)
SELECT id, old_register_no FROM artworks WHERE old_register_no IS NOT NULL;

ALTER TABLE artworks DROP COLUMN old_register_no;
