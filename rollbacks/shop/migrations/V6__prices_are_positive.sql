-- Samples cost one cent from now on. What they cost before is kept beside the table, by key.
CREATE TABLE products_before_v6 (
    product_id  integer PRIMARY KEY,
    price_cents integer NOT NULL
);
INSERT INTO products_before_v6 (product_id, price_cents)
SELECT id, price_cents FROM products WHERE price_cents <= 0;

UPDATE products SET price_cents = 1 WHERE price_cents <= 0;
ALTER TABLE products ADD CONSTRAINT products_price_positive CHECK (price_cents > 0);
