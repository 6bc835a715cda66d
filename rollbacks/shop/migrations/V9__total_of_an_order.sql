CREATE FUNCTION order_total(wanted integer) RETURNS bigint
LANGUAGE sql STABLE AS $function$
    SELECT coalesce(sum(quantity * price_cents), 0) FROM order_lines WHERE order_id = wanted
$function$;
