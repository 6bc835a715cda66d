-- Tickets are sold online from Friday on: more sessions, each with less memory for sorting.
ALTER SYSTEM SET max_connections = 300;
ALTER SYSTEM SET shared_buffers = '160MB';
ALTER SYSTEM SET work_mem = '3MB';
ALTER SYSTEM SET maintenance_work_mem = '96MB';
ALTER SYSTEM SET effective_cache_size = '768MB';

SELECT pg_reload_conf();

-- Who uses up the connections.
CREATE VIEW sessions_by_role AS
SELECT usename AS role, count(*) AS sessions, count(*) FILTER (WHERE state = 'active') AS active
FROM pg_stat_activity
WHERE backend_type = 'client backend'
GROUP BY usename;

CREATE VIEW sessions_by_program AS
SELECT application_name AS program, count(*) AS sessions, max(now() - state_change) FILTER (WHERE state = 'idle') AS longest_idle
FROM pg_stat_activity
WHERE backend_type = 'client backend'
GROUP BY application_name;

CREATE FUNCTION sessions_left() RETURNS integer
LANGUAGE sql STABLE AS $function$
    SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::integer
$function$;
