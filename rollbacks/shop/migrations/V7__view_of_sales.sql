CREATE VIEW sales_by_product AS
SELECT p.id AS product_id, p.name, sum(l.quantity) AS sold, sum(l.quantity * l.price_cents) AS cents
FROM products p
JOIN order_lines l ON l.product_id = p.id
GROUP BY p.id, p.name;
