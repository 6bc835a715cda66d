CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'cancelled');

CREATE TABLE customers (
    id             integer PRIMARY KEY,
    email          text NOT NULL UNIQUE,
    loyalty_points integer NOT NULL DEFAULT 0
);

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers (id),
    state       order_state NOT NULL DEFAULT 'new',
    ordered_at  timestamp NOT NULL
);

CREATE TABLE order_lines (
    order_id    integer NOT NULL REFERENCES orders (id),
    product_id  integer NOT NULL REFERENCES products (id),
    quantity    integer NOT NULL CHECK (quantity > 0),
    price_cents integer NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
