-- Takes back V9__total_of_an_order.sql. By its arguments: another order_total would be somebody else's.
-- flyback: risk low

DROP FUNCTION order_total(integer);

-- flyback: verify no function of that name is left
SELECT oid::regprocedure FROM pg_proc WHERE proname = 'order_total';
-- expect: no rows
