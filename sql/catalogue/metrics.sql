-- The standard metrics, the same for every organization. Applied each time: a change here changes the definition, and
-- nothing is taken away that events may refer to. Where the dimensions of a metric change, the rollups of all organizations that use
-- it are rebuilt (app.rebuild_rollups).
--
-- Money is in the currency of the event. All are positive but where the description says otherwise, and an event counts on
-- the day it was recorded at: nothing is put back to an earlier day.

set role tally_owner;

insert into public.metric_definitions
  (org_id, key, display_name, unit, aggregation_method, category, metadata, description)
select null, m.key, m.name, m.unit, m.method, m.category, jsonb_build_object('rollup_dimensions', m.dimensions), m.description
from (values
  ('revenue', 'Revenue', 'currency', 'sum', 'sales', array['channel'],
    'What customers were charged for their orders: after discounts, with tax and shipping. Counts on the day of the order. Refunds do not lower it; they are a metric of their own.'),
  ('gross_revenue', 'Gross revenue', 'currency', 'sum', 'sales', array['channel'],
    'Price times quantity of the goods ordered, before discounts, without tax and shipping. Counts on the day of the order. Returns do not lower it.'),
  ('net_revenue', 'Net revenue', 'currency', 'sum', 'sales', array['channel'],
    'Goods sold, after discounts and returns, without tax and shipping. A sale is positive on the day of the order, a return negative on the day it is processed: a day of many returns can be negative.'),
  ('orders', 'Orders', 'count', 'sum', 'sales', array['channel'],
    'Orders placed, without tests. Counts on the day of the order. An order that is cancelled or refunded later stays counted.'),
  ('units_sold', 'Units sold', 'count', 'sum', 'sales', array['channel'],
    'Pieces ordered. Counts on the day of the order. Returned pieces are not taken off.'),
  ('refunds', 'Refunds', 'currency', 'sum', 'sales', array['channel'],
    'Money given back to customers, with its tax and shipping. Positive, and on the day the refund is processed, not the day of the order.'),
  ('discounts', 'Discounts', 'currency', 'sum', 'sales', array['channel'],
    'What codes, sales and promotions took off the price of the goods ordered. Positive, on the day of the order.'),
  ('tax', 'Tax', 'currency', 'sum', 'sales', array['channel'],
    'Taxes and duties charged with orders. On the day of the order; tax that is refunded is part of refunds and not taken off here.'),
  ('shipping', 'Shipping', 'currency', 'sum', 'sales', array['channel'],
    'What customers were charged for shipping, after discounts on it. On the day of the order. Not what the carrier costs.'),
  ('cogs', 'Cost of goods sold', 'currency', 'sum', 'sales', array['channel'],
    'What the goods ordered cost the merchant. Positive, on the day of the order. Returned goods may be taken off by a negative event on the day of the return.'),

  ('sessions', 'Sessions', 'count', 'sum', 'traffic', array['channel'],
    'Visits, on the day they begin. Not visitors: who comes twice counts twice.'),
  ('page_views', 'Page views', 'count', 'sum', 'traffic', array['channel'],
    'Pages shown to visitors.'),
  ('add_to_carts', 'Adds to cart', 'count', 'sum', 'traffic', array['channel'],
    'Times something was put into a cart, whether it was bought or not.'),
  ('checkouts', 'Checkouts', 'count', 'sum', 'traffic', array['channel'],
    'Checkouts begun, whether they were finished or not.'),

  ('ad_spend', 'Ad spend', 'currency', 'sum', 'marketing', array['channel'],
    'What advertising cost, without agency fees. Positive, on the day the platform reports it for. The channel is the advertising channel.'),
  ('ad_revenue', 'Attributed revenue', 'currency', 'sum', 'marketing', array['channel'],
    'Revenue that an advertising platform attributes to its ads, by its own model and window and on the day it reports it for. Platforms overlap, so their sum may exceed revenue.'),
  ('impressions', 'Impressions', 'count', 'sum', 'marketing', array['channel'],
    'Times an ad was shown.'),
  ('clicks', 'Clicks', 'count', 'sum', 'marketing', array['channel'],
    'Clicks on ads.'),
  ('conversions', 'Conversions', 'count', 'sum', 'marketing', array['channel'],
    'Purchases that an advertising platform attributes to its ads, by its own model and window. Not orders, and part of one where models divide it.'),

  ('new_customers', 'New customers', 'count', 'sum', 'customers', array['channel'],
    'Customers who order for the first time, on the day of that order.'),
  ('returning_customers', 'Returning customers', 'count', 'sum', 'customers', array['channel'],
    'Orders of customers who had ordered before, on the day of the order: who orders twice counts twice, so that days may be added.'),

  ('inventory_level', 'Inventory level', 'count', 'last', 'inventory', array['location'],
    'Pieces on hand, of all products together, at a location of the store. A level and not a change: of a bucket the last one of each store and location counts, then these are added. A location that reported none in the bucket is not in it.')
) as m(key, name, unit, method, category, dimensions, description)
on conflict (org_id, key) do update
set display_name = excluded.display_name,
    unit = excluded.unit,
    aggregation_method = excluded.aggregation_method,
    category = excluded.category,
    metadata = excluded.metadata,
    description = excluded.description;

-- Ratios, which have no events: both sides are aggregated first, then divided.
insert into public.metric_definitions
  (org_id, key, display_name, unit, aggregation_method, category, metadata, description)
select
  null, r.key, r.name, r.unit, 'ratio', r.category,
  jsonb_build_object('numerator', r.numerator, 'denominator', r.denominator), r.description
from (values
  ('aov', 'Average order value', 'currency', 'sales', 'revenue', 'orders',
    'Revenue per order: with tax and shipping, refunds not taken off.'),
  ('refund_rate', 'Refund rate', 'ratio', 'sales', 'refunds', 'revenue',
    'Refunds processed per revenue of the same time, 0.05 for 5 %. Not the refunds of the orders of that time.'),
  ('conversion_rate', 'Conversion rate', 'ratio', 'traffic', 'orders', 'sessions',
    'Orders per session, 0.02 for 2 %. Not the share of sessions with an order: two orders in one session count twice.'),
  ('roas', 'Return on ad spend', 'ratio', 'marketing', 'ad_revenue', 'ad_spend',
    'Attributed revenue per ad spend: 4 means that every 1 spent is credited with 4.'),
  ('mer', 'Marketing efficiency ratio', 'ratio', 'marketing', 'revenue', 'ad_spend',
    'All revenue per ad spend, also known as blended ROAS: higher is better. Some tools show the inverse, ad spend as a share of revenue.'),
  ('cac', 'Customer acquisition cost', 'currency', 'marketing', 'ad_spend', 'new_customers',
    'Ad spend per new customer, blended over all channels whether an ad brought the customer or not.'),
  ('ctr', 'Click-through rate', 'ratio', 'marketing', 'clicks', 'impressions',
    'Clicks per impression, 0.01 for 1 %.'),
  ('cpc', 'Cost per click', 'currency', 'marketing', 'ad_spend', 'clicks',
    'Ad spend per click.')
) as r(key, name, unit, category, numerator, denominator, description)
on conflict (org_id, key) do update
set display_name = excluded.display_name,
    unit = excluded.unit,
    aggregation_method = excluded.aggregation_method,
    category = excluded.category,
    metadata = excluded.metadata,
    description = excluded.description;

reset role;
