-- Takes back V2__create_orders.sql.
-- flyback: risk high
-- flyback: allow-loss order_lines, orders, customers

DROP TABLE order_lines;
DROP TABLE orders;
DROP TABLE customers;
DROP TYPE order_state;

-- flyback: verify the catalogue is the only table left
SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename IN ('customers', 'orders', 'order_lines', 'products');
-- expect: 1
