-- Takes back V8__widen_loyalty_points.sql. Rewrites the table under an exclusive lock. Points that no longer fit stop the
-- rollback ("integer out of range"); none are cut off.
-- flyback: risk medium

ALTER TABLE customers ALTER COLUMN loyalty_points TYPE integer;

-- flyback: verify the type of the column
SELECT data_type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = 'customers' AND column_name = 'loyalty_points';
-- expect: 'integer'

-- flyback: verify nobody lost points
SELECT sum(loyalty_points) FROM customers WHERE id IN (1, 2, 3);
-- expect: >= 2570
