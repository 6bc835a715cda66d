-- Takes back V5__add_gift_notes.sql. What customers wrote into the column is lost.
-- flyback: risk high
-- flyback: allow-loss orders.gift_note

ALTER TABLE orders DROP COLUMN gift_note;

-- flyback: verify the columns of orders
SELECT column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = 'orders';
-- expect: 4 rows

-- flyback: verify the first orders are still there
SELECT count(*) FROM orders WHERE id <= 5;
-- expect: 5
