-- A repeatable migration of Flyway's: runs after the versioned ones, and again whenever this file changes.
CREATE OR REPLACE VIEW top_sellers AS
SELECT name, sold FROM sales_by_product WHERE sold >= 2 ORDER BY sold DESC, name;
