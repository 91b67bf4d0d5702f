-- What a project adds to be told of new rows: a NOTIFY for each.
CREATE SCHEMA IF NOT EXISTS benchmark;

CREATE OR REPLACE FUNCTION benchmark.announce() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_notify('new_notification', NEW.id::text);
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS announce ON public.notification;
CREATE TRIGGER announce AFTER INSERT ON public.notification FOR EACH ROW EXECUTE FUNCTION benchmark.announce();
