-- An undo file, as Flyway's paid editions run them. The free ones pass over it; flyback takes it as the rollback of
-- version 4, because rollbacks/ has none.
DROP INDEX orders_by_customer;
