-- Takes back V001__create_partitioned_meter_readings.sql: the table goes with all of its partitions, and the function
-- that makes partitions. The rows stay, in a copy.
-- flyback: risk critical
-- Named because the copy below keeps the rows; flyback need not save them again.
-- flyback: allow-loss meter_readings
-- The copy stays until somebody drops it: the schema is not what it was before the migration, and this is meant.
-- flyback: leaves kept_by_r001
--
-- Why not CREATE TABLE copy AS SELECT …: such a copy has the rows and the types of the columns, and nothing else: no
-- primary key, so nothing stops a row from being restored twice, no defaults, no checks, no NOT NULL, no indexes, no
-- comments. LIKE … INCLUDING ALL copies all of these. What LIKE does not copy either: partitions, foreign keys, triggers
-- and privileges. The partitions are therefore written down in a second table, with their bounds and their row counts.
--
-- Why a schema for the copy: from PostgreSQL 18 on, LIKE copies the names of NOT NULL constraints too, and names are taken
-- within a schema. Beside the copy the next meter_readings would get meter_readings_kwh_not_null1 and so on.

-- Writers wait from here on: a row that came between the copy and the drop would be in neither.
LOCK TABLE meter_readings IN ACCESS EXCLUSIVE MODE;

CREATE SCHEMA kept_by_r001;
CREATE TABLE kept_by_r001.meter_readings (LIKE meter_readings INCLUDING ALL);
INSERT INTO kept_by_r001.meter_readings SELECT * FROM meter_readings;

CREATE TABLE kept_by_r001.partitions (
    partition_name text PRIMARY KEY,
    bounds         text NOT NULL,
    row_count      bigint NOT NULL
);
INSERT INTO kept_by_r001.partitions (partition_name, bounds, row_count)
SELECT child.relname, pg_get_expr(child.relpartbound, child.oid), coalesce(found.row_count, 0)
FROM pg_inherits
JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
LEFT JOIN (SELECT tableoid, count(*) AS row_count FROM meter_readings GROUP BY tableoid) AS found
    ON found.tableoid = child.oid
WHERE pg_inherits.inhparent = 'meter_readings'::regclass;

-- No CASCADE and no IF EXISTS: a view that depends on the table, or a table that is not there, stops the rollback.
DROP TABLE meter_readings;
-- By its exact arguments: functions of the same name may be other people's.
DROP FUNCTION ensure_reading_partitions(date, integer);

-- flyback: verify the copy holds as many rows as the partitions did
SELECT
    (SELECT count(*) FROM kept_by_r001.meter_readings)
    - (SELECT coalesce(sum(row_count), 0) FROM kept_by_r001.partitions);
-- expect: 0

-- flyback: verify the rows of the pilot are among them
SELECT count(*) FROM kept_by_r001.meter_readings;
-- expect: >= 7240

-- flyback: verify the copy has the key, the index and the check
SELECT
    (SELECT count(*) FROM pg_constraint WHERE conrelid = copy AND contype IN ('p', 'c')) AS constraints,
    (SELECT count(*) FROM pg_index WHERE indrelid = copy) AS indexes
FROM (SELECT 'kept_by_r001.meter_readings'::regclass AS copy) AS here;
-- expect: table (constraints, indexes)
-- 2 | 2

-- flyback: verify table, partitions and function are gone
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    AND relname ~ '^meter_readings(_[0-9]{4}_[0-9]{2})?$'
UNION ALL
SELECT proname FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proname = 'ensure_reading_partitions';
-- expect: no rows
