-- What goes with what, and what must not go: eight foreign keys get an ON DELETE action.

-- Parts go with the whole.
ALTER TABLE loan_items DROP CONSTRAINT loan_items_loan_fk;
ALTER TABLE loan_items ADD CONSTRAINT loan_items_loan_fk
    FOREIGN KEY (loan_id) REFERENCES loans (id) ON DELETE CASCADE;

ALTER TABLE condition_reports DROP CONSTRAINT condition_reports_artwork_fk;
ALTER TABLE condition_reports ADD CONSTRAINT condition_reports_artwork_fk
    FOREIGN KEY (artwork_id) REFERENCES artworks (id) ON DELETE CASCADE;

ALTER TABLE artwork_photos DROP CONSTRAINT artwork_photos_artwork_fk;
ALTER TABLE artwork_photos ADD CONSTRAINT artwork_photos_artwork_fk
    FOREIGN KEY (artwork_id) REFERENCES artworks (id) ON DELETE CASCADE;

ALTER TABLE categories DROP CONSTRAINT categories_parent_fk;
ALTER TABLE categories ADD CONSTRAINT categories_parent_fk
    FOREIGN KEY (parent_id) REFERENCES categories (id) ON DELETE CASCADE;

-- An owner, a borrower and a work on loan cannot go.
ALTER TABLE artworks DROP CONSTRAINT artworks_owner_fk;
ALTER TABLE artworks ADD CONSTRAINT artworks_owner_fk
    FOREIGN KEY (owner_id) REFERENCES institutions (id) ON DELETE RESTRICT;

ALTER TABLE loans DROP CONSTRAINT loans_borrower_fk;
ALTER TABLE loans ADD CONSTRAINT loans_borrower_fk
    FOREIGN KEY (borrower_id) REFERENCES institutions (id) ON DELETE RESTRICT;

ALTER TABLE loan_items DROP CONSTRAINT loan_items_artwork_fk;
ALTER TABLE loan_items ADD CONSTRAINT loan_items_artwork_fk
    FOREIGN KEY (artwork_id) REFERENCES artworks (id) ON DELETE RESTRICT;

-- The log outlives those who wrote it.
ALTER TABLE handling_log DROP CONSTRAINT handling_log_handler_fk;
ALTER TABLE handling_log ALTER COLUMN handler_id DROP NOT NULL;
ALTER TABLE handling_log ADD CONSTRAINT handling_log_handler_fk
    FOREIGN KEY (handler_id) REFERENCES staff (id) ON DELETE SET NULL;
