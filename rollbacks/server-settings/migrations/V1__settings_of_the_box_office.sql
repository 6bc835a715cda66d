-- What the server of the box office runs with, written down where everybody can read it.
ALTER SYSTEM SET max_connections = 120;
ALTER SYSTEM SET shared_buffers = '96MB';
ALTER SYSTEM SET work_mem = '6MB';
ALTER SYSTEM SET maintenance_work_mem = '64MB';
ALTER SYSTEM SET effective_cache_size = '512MB';

SELECT pg_reload_conf();
