INSERT INTO products (id, sku, name, price_cents, in_stock) VALUES
    (1, 'TEA-ASSAM', 'Assam, second flush', 1290, 80),
    (2, 'TEA-SENCHA', 'Sencha', 1650, 45),
    (3, 'TEA-ROOIBOS', 'Rooibos', 690, 120),
    (4, 'POT-CAST', 'Cast-iron pot', 5900, 12),
    (5, 'SAMPLE-ASSAM', 'Assam, sample', 0, 300),
    (6, 'SAMPLE-SENCHA', 'Sencha, sample', 0, 300);

INSERT INTO customers (id, email, loyalty_points) VALUES
    (1, 'ines@example.com', 120),
    (2, 'tomasz@example.com', 0),
    (3, 'wanjiru@example.com', 2450);

INSERT INTO orders (id, customer_id, state, ordered_at) VALUES
    (1, 1, 'shipped', '2026-01-03 10:12'),
    (2, 3, 'shipped', '2026-01-05 17:40'),
    (3, 3, 'paid', '2026-02-11 08:02'),
    (4, 2, 'cancelled', '2026-02-12 21:30'),
    (5, 1, 'new', '2026-02-14 12:00');

INSERT INTO order_lines (order_id, product_id, quantity, price_cents) VALUES
    (1, 1, 2, 1290),
    (1, 5, 1, 0),
    (2, 2, 1, 1650),
    (2, 4, 1, 5900),
    (3, 1, 5, 1290),
    (4, 3, 1, 690),
    (5, 3, 2, 690);
