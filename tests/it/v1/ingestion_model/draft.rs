//! An event before it is written: what it should say, and what is wrong with it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::company::{LATE_METRICS, OTHER_METRICS, STORES, Shop};
use super::fields::{Fields, Known};
use super::flaws::{Edit, FLAWED_CODES, FLAWS, Fits, Flaw, PLAIN, TOO_LARGE};
use super::format::Format;
use crate::harness::Random;
use crate::sql::rollups::METRICS;

/// Values as JSON, and as they are kept.
const VALUES: [(&str, &str); 12] = [
    (r#""-1.5""#, "-1.5"),
    (r#""0""#, "0"),
    ("0.10", "0.10"),
    (r#""1""#, "1"),
    ("1.00", "1.00"),
    (r#""2""#, "2"),
    (r#""2.0""#, "2.0"),
    ("1e3", "1000"),
    ("2E+2", "200"),
    ("1.5e-2", "0.015"),
    ("-0.0", "0.0"),
    (r#""123456789012345678901234567890.123456789012345678""#, "123456789012345678901234567890.123456789012345678"),
];
/// Times as they are written and as they are told, where days, months and offsets change; no two of one second, so that
/// their texts are in order. The last one is too far ahead.
const TIMES: [(&str, &str); 20] = [
    ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ("1999-12-31T23:59:59Z", "1999-12-31T23:59:59Z"),
    ("2025-11-02T03:59:59.999999Z", "2025-11-02T03:59:59.999999Z"),
    ("2025-11-02T03:59:59.9999999Z", "2025-11-02T03:59:59.999999Z"),
    ("2025-11-02T00:00:00-04:00", "2025-11-02T04:00:00Z"),
    ("2025-11-02T04:00:00.000Z", "2025-11-02T04:00:00Z"),
    ("2025-11-02T05:30:00Z", "2025-11-02T05:30:00Z"),
    ("2025-11-03T04:30:00Z", "2025-11-03T04:30:00Z"),
    ("2026-01-31T23:59:59.999999Z", "2026-01-31T23:59:59.999999Z"),
    ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    ("2026-02-01T05:45:01.5+05:45", "2026-02-01T00:00:01.500000Z"),
    ("2026-03-08T05:00:00Z", "2026-03-08T05:00:00Z"),
    ("2026-03-08T06:59:59.999999Z", "2026-03-08T06:59:59.999999Z"),
    ("2026-03-08T07:00:00-00:00", "2026-03-08T07:00:00Z"),
    ("2026-03-09T03:59:59.999999Z", "2026-03-09T03:59:59.999999Z"),
    ("2026-04-04T10:15:00Z", "2026-04-04T10:15:00Z"),
    ("2026-04-05T11:00:00Z", "2026-04-05T11:00:00Z"),
    ("2026-05-05T18:14:59Z", "2026-05-05T18:14:59Z"),
    ("2026-05-05T18:15:00Z", "2026-05-05T18:15:00Z"),
    ("2126-01-01T00:00:00Z", "2126-01-01T00:00:00Z"),
];
/// Dimensions as JSON, and as they are kept.
const DIMENSIONS: [(Option<&str>, &str); 9] = [
    (None, "{}"),
    (Some("null"), "{}"),
    (Some("{}"), "{}"),
    (Some(r#"{"channel": "web"}"#), r#"{"channel": "web"}"#),
    (Some(r#"{"channel": "app", "channel": "web"}"#), r#"{"channel": "web"}"#),
    (Some(r#"{"kind": 1, "channel": "app"}"#), r#"{"channel": "app", "kind": 1}"#),
    (Some(r#"{"channel": "app", "kind": 1.0}"#), r#"{"channel": "app", "kind": 1.0}"#),
    (Some(r#"{"kind": 1e2, "note": "\u00e9\"\\"}"#), r#"{"kind": 100, "note": "é\"\\"}"#),
    (Some(r#"{"kind": true, "note": ""}"#), r#"{"kind": true, "note": ""}"#),
];
const IDS: [&str; 8] = ["1", "2", "3", "4", "ä", "order 5", "{6}", "a/7?"];
const SOURCES: [Option<&str>; 4] = [None, Some("api"), Some("shopify"), Some("/Euro €/1")];

/// Which store an event names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named {
    Implied,
    /// One of the company, which may not be there yet, by its id or by its external id.
    Ours(usize, bool),
    /// One of another company.
    Theirs(bool),
    Nobodys,
}

/// An event before it is written.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    id: &'static str,
    metric: &'static str,
    store: Named,
    value: usize,
    currency: Option<&'static str>,
    at: usize,
    source: Option<&'static str>,
    dimensions: usize,
    flaw: Option<&'static Flaw>,
}

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    /// What of it is kept where it is rejected.
    pub(super) body: String,
    /// What it says of itself, as far as it can be read.
    pub(super) known: Known,
    /// What it says; or what is wrong with its form.
    pub(super) read: Result<Good, &'static str>,
}

/// An event of good form.
#[derive(Clone, Debug)]
pub(super) struct Good {
    pub(super) id: String,
    pub(super) metric: String,
    pub(super) store: Store,
    pub(super) source: String,
    pub(super) value: String,
    pub(super) currency: Option<String>,
    pub(super) at: String,
    pub(super) dimensions: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Implied,
    Id(Uuid),
    External(String),
}

/// What the events of a history are made of: few of everything, so that they meet.
pub(super) struct Space {
    ids: usize,
    metrics: usize,
    times: Vec<usize>,
    sources: usize,
    flawed_in_100: usize,
    odd_in_100: usize,
}

impl Space {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            ids: 1 + random.below(IDS.len()),
            metrics: 1 + random.below(METRICS.len()),
            times: (0..2 + random.below(6)).map(|_| random.below(TIMES.len() - 1)).collect(),
            sources: 1 + random.below(SOURCES.len()),
            flawed_in_100: 5 + random.below(25),
            odd_in_100: 5 + random.below(15),
        }
    }

    pub(super) fn id(&self, random: &mut Random) -> &'static str {
        IDS[random.below(self.ids)]
    }

    pub(super) fn source(&self, random: &mut Random) -> Option<&'static str> {
        SOURCES[random.below(self.sources)]
    }

    /// A time of the history, as it is written and as it is told.
    pub(super) fn time(&self, random: &mut Random) -> (&'static str, &'static str) {
        TIMES[*random.pick(&self.times)]
    }

    pub(super) fn store(&self, random: &mut Random) -> Named {
        let by_external_id = random.below(2) == 0;
        match random.below(100) {
            odd if odd < self.odd_in_100 / 2 => *random.pick(&[Named::Theirs(by_external_id), Named::Nobodys]),
            implied if implied < 25 => Named::Implied,
            // Mostly the first, which a key is tied to.
            first if first < 55 => Named::Ours(0, by_external_id),
            _ => Named::Ours(random.below(STORES), by_external_id),
        }
    }

    pub(super) fn draft(&self, random: &mut Random) -> Draft {
        let metric = match random.below(30) {
            0 => *random.pick(&OTHER_METRICS),
            1..6 => late_metric(random),
            _ => METRICS[random.below(self.metrics)].0,
        };
        Draft {
            id: self.id(random),
            metric,
            store: self.store(random),
            value: random.below(VALUES.len()),
            currency: *random.pick(&[None, None, Some("USD"), Some("EUR"), Some("XCG")]),
            at: if random.below(50) == 0 { TIMES.len() - 1 } else { *random.pick(&self.times) },
            source: self.source(random),
            dimensions: random.below(DIMENSIONS.len()),
            flaw: (random.below(100) < self.flawed_in_100).then(|| flaw(random)),
        }
    }
}

impl Draft {
    /// The same without a flaw.
    pub(super) fn sound(self) -> Self {
        Self { flaw: None, ..self }
    }

    /// The same, too large to be taken.
    pub(super) fn too_large(self) -> Self {
        Self { flaw: Some(&TOO_LARGE), ..self }
    }

    /// The same with another value.
    pub(super) fn restated(&self, random: &mut Random) -> Self {
        let mut other = self.clone();
        match random.below(6) {
            0 => other.currency = *random.pick(&[None, Some("USD"), Some("EUR")]),
            1 => other.dimensions = random.below(DIMENSIONS.len()),
            2 => other.metric = random.pick(&METRICS).0,
            3 | 4 => other.metric = late_metric(random),
            _ => other.value = random.below(VALUES.len()),
        }
        other
    }

    /// The store it names.
    pub(super) fn named(&self, format: Format, shops: &[Shop], foreign: &(Uuid, String)) -> Store {
        store(self.store, format.is_cloud(), shops, foreign)
    }

    /// Its fields, as JSON.
    fn fields(&self, format: Format, store: &Store) -> Fields {
        let text = |text: &str| json!(text).to_string();
        let mut context = vec![("id", text(self.id)), ("metric", text(self.metric))];
        match store {
            Store::Implied => {}
            // A UUID means the same in capitals.
            Store::Id(id) if self.value.is_multiple_of(3) => {
                context.push(("store_id", text(&id.to_string().to_uppercase())))
            }
            Store::Id(id) => context.push(("store_id", text(&id.to_string()))),
            Store::External(id) => context.push(("store_id", text(id))),
        }
        context.push(("recorded_at", text(TIMES[self.at].0)));
        // Of a CloudEvent it is a part that must be there.
        if let Some(source) = self.source.or(format.is_cloud().then_some("api")) {
            context.push(("source", text(source)));
        }
        let mut data = vec![("value", VALUES[self.value].0.to_owned())];
        data.extend(self.currency.map(|currency| ("currency", text(currency))));
        data.extend(DIMENSIONS[self.dimensions].0.map(|dimensions| ("dimensions", dimensions.to_owned())));
        if format.is_cloud() {
            context.insert(0, ("specversion", text("1.0")));
            context.push(("traceparent", text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
        }
        Fields { is_cloud: format.is_cloud(), context, data, whole: None }
    }

    /// Writes it.
    pub(super) fn write(&self, format: Format, shops: &[Shop], foreign: &(Uuid, String)) -> Sent {
        let store = self.named(format, shops, foreign);
        let mut fields = self.fields(format, &store);
        let flaw = self.flaw.map(|flaw| if format.fits(flaw.fits) { flaw } else { &PLAIN });
        if let Some(Flaw { edit, .. }) = flaw {
            fields.edit(edit);
        }
        let mut bytes = fields.text().into_bytes();
        match flaw.map(|flaw| flaw.edit) {
            Some(Edit::Cut) => bytes.truncate(bytes.len() - 1),
            Some(Edit::Bytes(more)) => {
                bytes.pop();
                bytes.extend([more, b"}"].concat());
            }
            _ => {}
        }
        let mut body = String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}");
        // Nothing that is as long has a character of more than a byte there.
        body.truncate(65_536);
        let good = || Good {
            id: self.id.to_owned(),
            metric: self.metric.to_owned(),
            store,
            source: self.source.unwrap_or("api").to_owned(),
            value: VALUES[self.value].1.to_owned(),
            currency: self.currency.map(str::to_owned),
            at: TIMES[self.at].1.to_owned(),
            dimensions: serde_json::from_str(DIMENSIONS[self.dimensions].1).unwrap(),
        };
        Sent { bytes, body, known: fields.known(), read: flaw.map_or_else(|| Ok(good()), |flaw| Err(flaw.code)) }
    }
}

fn late_metric(random: &mut Random) -> &'static str {
    random.pick(&LATE_METRICS).0
}

/// A flaw, of each code as likely.
fn flaw(random: &mut Random) -> &'static Flaw {
    let code = random.pick(&FLAWED_CODES);
    let flaws: Vec<&Flaw> = FLAWS.iter().filter(|flaw| flaw.code == *code).collect();
    flaws[random.below(flaws.len())]
}

/// The store that is named; by its external id only where that can be.
pub(super) fn store(named: Named, by_external_id: bool, shops: &[Shop], foreign: &(Uuid, String)) -> Store {
    match named {
        Named::Implied => Store::Implied,
        Named::Ours(index, true) if by_external_id => Store::External(shops[index].external_id.clone()),
        Named::Ours(index, _) => Store::Id(shops[index].id),
        Named::Theirs(true) if by_external_id => Store::External(foreign.1.clone()),
        Named::Theirs(_) => Store::Id(foreign.0),
        Named::Nobodys => Store::Id(Uuid::from_u128(7)),
    }
}

impl Format {
    /// Whether an event of this format can have such a flaw.
    fn fits(self, fits: Fits) -> bool {
        match fits {
            Fits::Any => true,
            Fits::Many => !matches!(self, Self::One | Self::CloudEvent),
            Fits::Own => !self.is_cloud(),
            Fits::Line => self == Self::Lines,
            Fits::Cloud => self.is_cloud(),
        }
    }
}
