-- ROLLBACK
-- Migration: V2025.11.22.001__say_what_deletion_does.sql
-- Risk: HIGH. Eight foreign keys are checked against all rows again, under locks that stop writers.
--
-- Fails, and changes nothing, when somebody of the staff was deleted since: handling_log then holds rows without a
-- handler, and NOT NULL cannot come back. Find them first:
--   SELECT id, happened, what FROM handling_log WHERE handler_id IS NULL;

BEGIN;

-- Step 1: no trigger fires on what this script does
SET session_replication_role = 'replica';

-- Step 2: back to NO ACTION
-- Loan items -> loans: was CASCADE
ALTER TABLE loan_items DROP CONSTRAINT loan_items_loan_fk;
ALTER TABLE loan_items ADD CONSTRAINT loan_items_loan_fk
    FOREIGN KEY (loan_id) REFERENCES loans (id);

-- Condition reports -> artworks: was CASCADE
ALTER TABLE condition_reports DROP CONSTRAINT condition_reports_artwork_fk;
ALTER TABLE condition_reports ADD CONSTRAINT condition_reports_artwork_fk
    FOREIGN KEY (artwork_id) REFERENCES artworks (id);

-- Photos -> artworks: was CASCADE
ALTER TABLE artwork_photos DROP CONSTRAINT artwork_photos_artwork_fk;
ALTER TABLE artwork_photos ADD CONSTRAINT artwork_photos_artwork_fk
    FOREIGN KEY (artwork_id) REFERENCES artworks (id);

-- Categories -> parent: was CASCADE
ALTER TABLE categories DROP CONSTRAINT categories_parent_fk;
ALTER TABLE categories ADD CONSTRAINT categories_parent_fk
    FOREIGN KEY (parent_id) REFERENCES categories (id);

-- Artworks -> owner: was RESTRICT
ALTER TABLE artworks DROP CONSTRAINT artworks_owner_fk;
ALTER TABLE artworks ADD CONSTRAINT artworks_owner_fk
    FOREIGN KEY (owner_id) REFERENCES institutions (id);

-- Loans -> borrower: was RESTRICT
ALTER TABLE loans DROP CONSTRAINT loans_borrower_fk;
ALTER TABLE loans ADD CONSTRAINT loans_borrower_fk
    FOREIGN KEY (borrower_id) REFERENCES institutions (id);

-- Loan items -> artworks: was RESTRICT
ALTER TABLE loan_items DROP CONSTRAINT loan_items_artwork_fk;
ALTER TABLE loan_items ADD CONSTRAINT loan_items_artwork_fk
    FOREIGN KEY (artwork_id) REFERENCES artworks (id);

-- Handling log -> staff: was SET NULL, with a column that could be empty
ALTER TABLE handling_log DROP CONSTRAINT handling_log_handler_fk;
ALTER TABLE handling_log ALTER COLUMN handler_id SET NOT NULL;
ALTER TABLE handling_log ADD CONSTRAINT handling_log_handler_fk
    FOREIGN KEY (handler_id) REFERENCES staff (id);

-- Step 3: triggers on again
SET session_replication_role = 'origin';

-- Step 4: Flyway forgets the version
DELETE FROM flyway_schema_history WHERE version = '2025.11.22.001';

-- Step 5: verification
SELECT
    tc.table_name,
    tc.constraint_name,
    rc.delete_rule
FROM information_schema.table_constraints tc
JOIN information_schema.referential_constraints rc
    ON rc.constraint_schema = tc.constraint_schema
    AND rc.constraint_name = tc.constraint_name
WHERE tc.constraint_type = 'FOREIGN KEY'
    AND tc.constraint_schema = current_schema()
ORDER BY tc.table_name, tc.constraint_name;
-- Expected: All delete_rule should be 'NO ACTION'

SELECT count(*)
FROM information_schema.table_constraints
WHERE constraint_type = 'FOREIGN KEY' AND constraint_schema = current_schema();
-- Expected: 10

SELECT is_nullable
FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = 'handling_log' AND column_name = 'handler_id';
-- Expected: 'NO'

COMMIT;
