-- Exchange rates: a catalogue for all, which whoever runs the service loads, and what an organization loads for itself.
--
-- No role of a function can write to the table. What PUT and DELETE /v1/exchange-rates change goes through two functions that
-- run as the owner and ask app.managed_org_id() whose rates they are: so tally_query, the role of the queries, writes nothing
-- but rates, of no organization but the one that its caller manages, and none for all.

set role tally_owner;

create table public.exchange_rates (
  -- A key cannot hold null. Of one value either way, so that a policy can name both in one list, which an index answers also
  -- where currency and day come from another table.
  scope_id uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  org_id uuid constraint exchange_rates_org_id_fkey references public.organizations (id) on delete cascade,
  currency text not null,
  day date not null,
  rate numeric not null,
  loaded_at timestamptz not null default now(),
  constraint exchange_rates_pkey primary key (scope_id, currency, day),
  constraint exchange_rates_currency_check check (currency ~ '^[A-Z]{3}$' and currency <> 'EUR'),
  constraint exchange_rates_day_check check (day between '1970-01-01' and '9998-12-31'),
  constraint exchange_rates_rate_check check (rate > 0 and rate <= 1000000000 and scale(rate) <= 18)
);
comment on table public.exchange_rates is
  'What a euro is worth on a day: a catalogue for all (no org_id), and what an organization loads for itself; its own wins. Nothing is carried forward: a day without a rate has none';
comment on column public.exchange_rates.scope_id is 'org_id, or the nil UUID for what counts for all';
comment on column public.exchange_rates.currency is 'ISO 4217 code, of today or of the day; never EUR, whose rate is 1';
comment on column public.exchange_rates.day is 'The day it counts for, whichever day it was published on';
comment on column public.exchange_rates.rate is 'Units of the currency for one euro, as the European Central Bank publishes them; as it was written';
comment on column public.exchange_rates.loaded_at is 'When it came, or was last replaced by another';
-- Lists, by day.
create index exchange_rates_org_id_day_currency_idx on public.exchange_rates (org_id, day, currency);

alter table public.exchange_rates enable row level security;
alter table public.exchange_rates force row level security;
create policy exchange_rates_owner on public.exchange_rates for all to tally_owner using (true) with check (true);
create policy exchange_rates_service on public.exchange_rates for all to service_role using (true) with check (true);
create policy exchange_rates_select on public.exchange_rates for select to authenticated, tally_query
  using (scope_id = any (array['00000000-0000-0000-0000-000000000000', (select app.org_id())]::uuid[]));
grant select on public.exchange_rates to authenticated, tally_query;
grant select, insert, update, delete on public.exchange_rates to service_role;

-- The one place that says whose rate counts. As its caller, so that the policy above decides which there are. No `distinct on`,
-- into which a join could not reach: joined by currency and day, this is two look-ups in the key. (Both have to be columns, of a
-- materialized `with` say: what a function computes may not be compared with rows before the policy is asked, if it can leak.)
create view app.rates with (security_invoker = true) as
  select r.org_id, r.currency, r.day, r.rate
  from public.exchange_rates r
  where r.org_id is not null
    or not exists (
      select from public.exchange_rates own
      where own.scope_id = (select app.org_id()) and own.currency = r.currency and own.day = r.day
    );
comment on view app.rates is
  'The rates that count for the organization of the request: its own before the one for all of the same currency and day';
grant select on app.rates to tally_query;

reset role;
