-- Takes back V1__create_catalogue.sql.
-- flyback: risk high
-- flyback: allow-loss products

DROP TABLE products;

-- flyback: verify the table is gone
SELECT to_regclass('products');
-- expect: NULL
