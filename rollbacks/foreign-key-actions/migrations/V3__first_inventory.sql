INSERT INTO institutions (id, name, city) VALUES
    (1, 'Harbour Museum', 'Aarhus'),
    (2, 'Kunsthalle am Wall', 'Bremen'),
    (3, 'Casa das Artes', 'Porto');

INSERT INTO staff (id, institution_id, full_name) VALUES
    (1, 1, 'Signe Dahl'),
    (2, 1, 'Malte Friis'),
    (3, 2, 'Ute Brandes');

INSERT INTO categories (id, parent_id, name) VALUES
    (1, NULL, 'Paintings'),
    (2, 1, 'Seascapes'),
    (3, NULL, 'Ship models');

INSERT INTO artworks (id, owner_id, old_register_no, category_id, title, made_in_year) VALUES
    (1, 1, 'HM-1904/17', 2, 'Storm off the Skaw', 1871),
    (2, 1, 'HM-1911/03', 2, 'Herring Fleet at Dawn', 1888),
    (3, 1, NULL, 3, 'Barque "Fortuna", 1:48', 1926),
    (4, 2, 'KW 220', 1, 'The Pilot''s Daughter', 1902);

INSERT INTO artwork_photos (artwork_id, taken_on, file_name) VALUES
    (1, '2024-03-11', 'storm-front.tif'),
    (1, '2024-03-11', 'storm-back.tif'),
    (3, '2024-05-02', 'fortuna.tif');

INSERT INTO loans (id, borrower_id, starts_on, ends_on) VALUES
    (1, 2, '2025-02-01', '2025-06-30'),
    (2, 3, '2025-09-15', '2026-01-10');

INSERT INTO loan_items (loan_id, artwork_id, insured_cents) VALUES
    (1, 1, 4500000),
    (1, 2, 2100000),
    (2, 3, 380000);

INSERT INTO condition_reports (id, artwork_id, written_on, findings) VALUES
    (1, 1, '2025-01-20', 'Hairline crack, upper left'),
    (2, 3, '2025-09-01', 'Foremast stay loose');

INSERT INTO handling_log (id, handler_id, happened, what) VALUES
    (1, 1, '2025-01-21 09:15', 'Storm off the Skaw packed'),
    (2, 2, '2025-01-21 11:40', 'Herring Fleet at Dawn packed'),
    (3, 3, '2025-02-01 08:05', 'Crates of loan 1 opened');
