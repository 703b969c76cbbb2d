-- The past of one store: $3 orders of four events each, over the thirteen months up to two hours ago, numbered from $4 on in the
-- order of their times. $1 the organization, $2 the store.
insert into public.metric_events
  (org_id, store_id, source, event_id, recorded_at, metric_key, value, currency, dimensions, ingested_at)
select
  $1::uuid, $2::uuid, 'shopify', lpad((o.number + $4::bigint)::text, 13, '0') || '-' || m.key, o.recorded_at, m.key,
  case m.key
    when 'revenue' then round((5 + random() * 295)::numeric, 2)
    when 'discounts' then round((random() * 20)::numeric, 2)
    when 'units_sold' then 1 + floor(random() * 5)
    else 1
  end,
  m.currency,
  jsonb_build_object('channel', o.channel, 'country', o.country),
  o.recorded_at
from (
  select
    number,
    date_trunc('milliseconds', now() - interval '2 hours' - interval '13 months' * (($3::integer - number + random()) / $3))
      as recorded_at,
    (array['web', 'web', 'web', 'retail', 'marketplace', 'social'])[1 + floor(random() * 6)::integer] as channel,
    (array['US', 'US', 'US', 'GB', 'DE', 'FR', 'JP', 'BR'])[1 + floor(random() * 8)::integer] as country
  from generate_series(1, $3::integer) as number
  offset 0 -- an order has one time, channel and country, not one an event
) as o
cross join (values ('discounts', 'USD'), ('orders', null), ('revenue', 'USD'), ('units_sold', null)) as m(key, currency)
