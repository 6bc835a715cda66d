-- Takes back V1__settings_of_the_box_office.sql: nothing of the five remains in postgresql.auto.conf, so that the server goes
-- by its postgresql.conf again.
-- flyback: transaction off
-- flyback: risk medium

ALTER SYSTEM RESET max_connections;
ALTER SYSTEM RESET shared_buffers;
ALTER SYSTEM RESET work_mem;
ALTER SYSTEM RESET maintenance_work_mem;
ALTER SYSTEM RESET effective_cache_size;

SELECT pg_reload_conf();

-- flyback: verify none of the five is set by ALTER SYSTEM
SELECT name FROM pg_file_settings
WHERE sourcefile LIKE '%postgresql.auto.conf'
    AND name IN ('max_connections', 'shared_buffers', 'work_mem', 'maintenance_work_mem', 'effective_cache_size');
-- expect: no rows
