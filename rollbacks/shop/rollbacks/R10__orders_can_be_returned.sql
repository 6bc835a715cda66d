-- Takes back V10__orders_can_be_returned.sql. PostgreSQL cannot remove a value from an enum: a new type takes the place of
-- the old one, which rewrites the table. An order that has been returned stops the rollback.
-- flyback: risk high

ALTER TYPE order_state RENAME TO order_state_v10;
CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'cancelled');

ALTER TABLE orders
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN state TYPE order_state USING state::text::order_state,
    ALTER COLUMN state SET DEFAULT 'new';

DROP TYPE order_state_v10;

-- flyback: verify the states an order can be in
SELECT state FROM unnest(enum_range(NULL::order_state)) WITH ORDINALITY AS states (state, place) ORDER BY place;
-- expect: table (state)
-- new
-- paid
-- shipped
-- cancelled
