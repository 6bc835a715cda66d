-- Estimates stand in for readings that never came. All readings so far were real ones.
ALTER TABLE meter_readings ADD COLUMN is_estimate boolean NOT NULL DEFAULT false;
CREATE INDEX meter_readings_estimates ON meter_readings (meter_no) WHERE is_estimate;

CREATE VIEW estimated_readings AS
SELECT meter_no, read_at, kwh FROM meter_readings WHERE is_estimate;

-- The same name with other arguments: half a year from now on.
CREATE FUNCTION ensure_reading_partitions(first_month date) RETURNS integer
LANGUAGE sql AS $function$
    SELECT ensure_reading_partitions(first_month, 6)
$function$;
