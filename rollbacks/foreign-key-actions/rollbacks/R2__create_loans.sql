-- Takes back V2__create_loans.sql. No CASCADE: whatever else has come to depend on these tables stops the rollback.
-- flyback: risk high
-- flyback: allow-loss handling_log, condition_reports, loan_items, loans

DROP TABLE handling_log;
DROP TABLE condition_reports;
DROP TABLE loan_items;
DROP TABLE loans;

-- flyback: verify only the tables of the collection are left
SELECT table_name
FROM information_schema.tables
WHERE table_schema = current_schema()
    AND table_name IN ('loans', 'loan_items', 'condition_reports', 'handling_log');
-- expect: no rows
