-- A shop for tea.
CREATE TABLE products (
    id          integer PRIMARY KEY,
    sku         text NOT NULL UNIQUE,
    name        text NOT NULL,
    price_cents integer NOT NULL,
    in_stock    integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE products IS 'What can be ordered';
