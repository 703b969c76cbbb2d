//! A question, as the oracle takes it and as it is asked.

use jiff::civil::Weekday;
use serde_json::{Value, json};

use super::calendar::{Compared, Edge, Granularity};
use super::company::{Company, METRICS};
use super::condition::Condition;

/// Which stores are asked for.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    All,
    Workspace(usize),
    Stores(Vec<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    Zero,
    Null,
    Previous,
}

#[derive(Clone, Debug)]
pub(super) struct Top {
    pub(super) n: usize,
    /// A metric; the first of the question if it does not say.
    pub(super) by: Option<usize>,
    pub(super) other: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Order {
    Metric(usize, bool),
    Dimension(&'static str, bool),
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) metrics: Vec<usize>,
    pub(super) scope: Scope,
    pub(super) from: Edge,
    pub(super) to: Edge,
    pub(super) granularity: Granularity,
    pub(super) week_start: Option<Weekday>,
    pub(super) zone: String,
    pub(super) currency: Option<&'static str>,
    pub(super) group_by: Vec<&'static str>,
    pub(super) filter: Option<Condition>,
    pub(super) top: Option<Top>,
    pub(super) order: Option<Order>,
    pub(super) fill: Fill,
    pub(super) cumulative: bool,
    pub(super) totals: bool,
    pub(super) compare: Option<Compared>,
}

impl Question {
    pub(super) fn stores(&self, company: &Company) -> Vec<usize> {
        let all = 0..company.stores.len();
        match &self.scope {
            Scope::All => all.collect(),
            Scope::Workspace(workspace) => all.filter(|store| company.stores[*store].workspace == *workspace).collect(),
            Scope::Stores(stores) => stores.clone(),
        }
    }

    /// The metrics with events that it needs.
    pub(super) fn parts(&self) -> Vec<usize> {
        let mut parts: Vec<usize> = self.metrics.iter().flat_map(|metric| METRICS[*metric].parts()).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// The dimensions that it groups by or asks for.
    pub(super) fn dimensions(&self) -> Vec<&'static str> {
        let asked = self.filter.iter().flat_map(Condition::dimensions);
        asked.chain(self.group_by.iter().copied()).filter(|dimension| *dimension != "store").collect()
    }

    /// The same of the same events, by a dimension that nobody declared.
    pub(super) fn of_events(&self) -> Self {
        let always = Condition::Not(Box::new(Condition::Exists("never", true)));
        let filter = match self.filter.clone() {
            Some(filter) => Condition::And(vec![filter, always]),
            None => always,
        };
        Self { filter: Some(filter), ..self.clone() }
    }

    pub(super) fn json(&self, company: &Company) -> Value {
        let keys: Vec<&str> = self.metrics.iter().map(|metric| METRICS[*metric].key).collect();
        let mut json = json!({"metrics": keys, "from": self.from.text(), "to": self.to.text(),
                              "granularity": self.granularity.name(), "timezone": self.zone, "totals": self.totals});
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                json[field] = value;
            }
        };
        match &self.scope {
            Scope::All => {}
            Scope::Workspace(workspace) => set("workspace", Some(json!(company.workspaces[*workspace]))),
            Scope::Stores(stores) => {
                set("stores", Some(stores.iter().map(|store| json!(company.stores[*store].id)).collect()));
            }
        }
        set("week_start", self.week_start.map(|day| json!(format!("{day:?}").to_lowercase())));
        set("currency", self.currency.map(|currency| json!(currency)));
        set("group_by", (!self.group_by.is_empty()).then(|| json!(self.group_by)));
        set("filter", self.filter.as_ref().map(Condition::json));
        set("top", self.top.as_ref().map(Top::json));
        set("order_by", self.order.as_ref().map(Order::json));
        set("compare", self.compare.map(Compared::json));
        set("cumulative", self.cumulative.then_some(json!(true)));
        set(
            "fill",
            match self.fill {
                Fill::Zero => None,
                Fill::Null => Some(json!("null")),
                Fill::Previous => Some(json!("previous")),
            },
        );
        json
    }
}

impl Top {
    fn json(&self) -> Value {
        let mut json = json!({"n": self.n, "other": self.other});
        if let Some(by) = self.by {
            json["by"] = json!(METRICS[by].key);
        }
        json
    }
}

impl Order {
    fn json(&self) -> Value {
        let direction = |descends: bool| if descends { "desc" } else { "asc" };
        match self {
            Self::Metric(metric, descends) => {
                json!({"metric": METRICS[*metric].key, "direction": direction(*descends)})
            }
            Self::Dimension(dimension, descends) => json!({"dimension": dimension, "direction": direction(*descends)}),
        }
    }
}

impl Compared {
    fn json(self) -> Value {
        match self {
            Self::PreviousPeriod => json!("previous_period"),
            Self::PreviousYear => json!("previous_year"),
            Self::PreviousYearByWeekday => json!({"period": "previous_year", "align": "weekday"}),
            Self::Given(from, to) => json!({"from": from.text(), "to": to.text()}),
        }
    }
}
