-- The IANA zones of this server. A newer zone database adds names; none is taken away that a store uses.
--
-- Left out are the four names that Postgres takes for an offset that never changes, though the zone changes its clock: whoever means
-- the zone has Europe/Brussels, Europe/Athens and Europe/Lisbon for them.

set role tally_owner;

insert into app.time_zones (name)
select z.name
from pg_catalog.pg_timezone_names as z
where z.name !~ '^(posix|right)/' and z.name not in ('localtime', 'CET', 'EET', 'MET', 'WET')
on conflict (name) do nothing;

delete from app.time_zones z
where z.name in ('CET', 'EET', 'MET', 'WET') and not exists (select from public.stores s where s.timezone = z.name);

reset role;
