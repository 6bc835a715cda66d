ALTER TABLE orders ADD COLUMN gift_note text;

UPDATE orders SET gift_note = 'Happy birthday, Otieno!' WHERE id = 2;
UPDATE orders SET gift_note = 'With thanks, Ines' WHERE id = 5;
