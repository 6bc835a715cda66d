-- Readings of heat meters, one partition for each month.
CREATE TABLE meter_readings (
    meter_no text NOT NULL,
    read_at  timestamp NOT NULL,
    kwh      numeric(12, 3) NOT NULL,
    source   text NOT NULL DEFAULT 'radio',
    CONSTRAINT meter_readings_kwh_positive CHECK (kwh >= 0),
    PRIMARY KEY (meter_no, read_at)
) PARTITION BY RANGE (read_at);

CREATE INDEX meter_readings_by_time ON meter_readings (read_at);
COMMENT ON COLUMN meter_readings.kwh IS 'State of the counter, not the consumption since the last reading';

CREATE FUNCTION ensure_reading_partitions(first_month date, months integer) RETURNS integer
LANGUAGE plpgsql AS $function$
DECLARE
    month   date;
    created integer := 0;
BEGIN
    FOR step IN 0 .. months - 1 LOOP
        month := date_trunc('month', first_month) + make_interval(months => step);
        IF to_regclass(format('meter_readings_%s', to_char(month, 'YYYY_MM'))) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF meter_readings FOR VALUES FROM (%L) TO (%L)',
                'meter_readings_' || to_char(month, 'YYYY_MM'),
                month,
                (month + interval '1 month')::date
            );
            created := created + 1;
        END IF;
    END LOOP;
    RETURN created;
END
$function$;

SELECT ensure_reading_partitions('2025-01-01', 6);

-- The readings of the pilot: forty meters, once a day for the first half of the year.
INSERT INTO meter_readings (meter_no, read_at, kwh)
SELECT
    'HM-' || to_char(meter, 'FM0000'),
    day + interval '6 hours',
    1000 * meter + 1.25 * (day::date - date '2025-01-01')
FROM generate_series(1, 40) AS meter
CROSS JOIN generate_series(timestamp '2025-01-01', timestamp '2025-06-30', interval '1 day') AS day;
