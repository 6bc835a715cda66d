-- Takes back V999__open_the_online_sale.sql. The server takes max_connections and shared_buffers over with its next restart,
-- so what is verified here is the file that it will start from; pg_settings shows the old values until then.
-- flyback: transaction off
-- flyback: risk medium

DROP FUNCTION sessions_left();
DROP VIEW sessions_by_program;
DROP VIEW sessions_by_role;

ALTER SYSTEM SET max_connections = 120;
ALTER SYSTEM SET shared_buffers = '96MB';
ALTER SYSTEM SET work_mem = '6MB';
ALTER SYSTEM SET maintenance_work_mem = '64MB';
ALTER SYSTEM SET effective_cache_size = '512MB';

SELECT pg_reload_conf();

-- flyback: verify what the server will start with
SELECT DISTINCT ON (name) name, setting FROM pg_file_settings
WHERE name IN ('max_connections', 'shared_buffers', 'work_mem', 'maintenance_work_mem', 'effective_cache_size')
ORDER BY name, seqno DESC;
-- expect: table (name, setting)
-- effective_cache_size | 512MB
-- maintenance_work_mem | 64MB
-- max_connections | 120
-- shared_buffers | 96MB
-- work_mem | 6MB

-- flyback: verify the views and the function are gone
SELECT relname FROM pg_class WHERE relname IN ('sessions_by_role', 'sessions_by_program')
UNION ALL
SELECT proname FROM pg_proc WHERE proname = 'sessions_left';
-- expect: no rows
