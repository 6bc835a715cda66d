-- Migration: V6__prices_are_positive.sql
-- Risk: MEDIUM. Puts the old prices of the samples back.

BEGIN;

SET session_replication_role = 'replica';

ALTER TABLE products DROP CONSTRAINT products_price_positive;

UPDATE products p
SET price_cents = b.price_cents
FROM products_before_v6 b
WHERE b.product_id = p.id;

DROP TABLE products_before_v6;

SET session_replication_role = 'origin';

DELETE FROM flyway_schema_history WHERE version = '6';

SELECT sku, price_cents FROM products WHERE sku LIKE 'SAMPLE-%' ORDER BY sku;
-- Expected: every price_cents is 0

SELECT conname FROM pg_constraint WHERE conname = 'products_price_positive';
-- Expected: no rows

COMMIT;
