-- The kinds of definitions that are new: a ratio and a stock.

insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata, description)
values
  ('11111111-0000-4000-8000-000000000001', 'orders', 'Orders', 'count', 'sum', 'sales',
   '{"rollup_dimensions": ["channel"]}', ''),
  ('11111111-0000-4000-8000-000000000001', 'aov', 'Average order value', 'currency', 'ratio', 'sales',
   '{"numerator": "revenue", "denominator": "orders"}', 'Revenue an order'),
  ('11111111-0000-4000-8000-000000000001', 'stock', 'Stock', 'count', 'last', 'supply', '{}', 'Pieces in store');
