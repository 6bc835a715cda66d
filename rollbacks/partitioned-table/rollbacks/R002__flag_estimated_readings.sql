-- Takes back V002__flag_estimated_readings.sql. Which readings were estimates is known nowhere else and goes for good.
-- flyback: risk medium
-- flyback: allow-loss meter_readings.is_estimate

DROP FUNCTION ensure_reading_partitions(date);
DROP VIEW estimated_readings;
DROP INDEX meter_readings_estimates;
ALTER TABLE meter_readings DROP COLUMN is_estimate;

-- flyback: verify the older function of the same name is still there
SELECT oid::regprocedure::text FROM pg_proc
WHERE proname = 'ensure_reading_partitions' AND pronamespace = current_schema()::regnamespace;
-- expect: 'ensure_reading_partitions(date,integer)'

-- flyback: verify no partition kept the column
SELECT attrelid::regclass FROM pg_attribute
WHERE attname = 'is_estimate' AND NOT attisdropped
    AND attrelid IN (SELECT relid FROM pg_partition_tree('meter_readings'));
-- expect: no rows
