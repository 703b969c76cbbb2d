-- The standard metrics, the same for every organization. Applied each time: a change here changes the definition, and
-- nothing is taken away that events may refer to.

set role tally_owner;

insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
values
  (null, 'revenue', 'Revenue', 'currency', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  (null, 'orders', 'Orders', 'count', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  (null, 'refunds', 'Refunds', 'currency', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  (null, 'discounts', 'Discounts', 'currency', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  (null, 'tax', 'Tax', 'currency', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  (null, 'shipping', 'Shipping', 'currency', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  (null, 'sessions', 'Sessions', 'count', 'sum', 'traffic', '{"rollup_dimensions": ["channel"]}'),
  (null, 'ad_spend', 'Ad spend', 'currency', 'sum', 'marketing', '{"rollup_dimensions": ["channel"]}'),
  (null, 'impressions', 'Impressions', 'count', 'sum', 'marketing', '{"rollup_dimensions": ["channel"]}'),
  (null, 'clicks', 'Clicks', 'count', 'sum', 'marketing', '{"rollup_dimensions": ["channel"]}')
on conflict (org_id, key) do update
set display_name = excluded.display_name,
    unit = excluded.unit,
    aggregation_method = excluded.aggregation_method,
    category = excluded.category,
    metadata = excluded.metadata;

reset role;
