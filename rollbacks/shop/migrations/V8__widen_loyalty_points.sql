-- Points are multiplied by a thousand next year.
ALTER TABLE customers ALTER COLUMN loyalty_points TYPE bigint;
