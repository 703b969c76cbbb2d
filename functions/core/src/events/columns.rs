//! A batch as the database takes it.

/// A batch as the database takes it, each value fit to be cast. What many events have in common comes once, as a series: so
/// thousands of events are few texts to be carried across the door, looked up and parsed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The series.
    pub series: SeriesColumns,
    /// Of each event the number of its series, from 1.
    pub numbers: Vec<Option<i32>>,
    /// Of each event the sender's id.
    pub ids: Lines,
    /// Of each event its value, a decimal as it was written.
    pub values: Lines,
    /// Of each event its time, microseconds since 1970.
    pub recorded_at: Vec<Option<i64>>,
}

/// Texts that are not empty and have no control character, one a line: a single text crosses the door several times as fast as
/// an array of thousands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines(String);

impl Lines {
    pub(super) fn push(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
    }

    /// The texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split('\n').filter(|text| !text.is_empty())
    }
}

impl<'a> FromIterator<&'a str> for Lines {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut lines = Self::default();
        texts.into_iter().for_each(|text| lines.push(text));
        lines
    }
}

impl From<Lines> for String {
    fn from(Lines(text): Lines) -> Self {
        text
    }
}

/// What events have in common, one array a field, all of one length.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SeriesColumns {
    /// Uuids; none where the store is named otherwise, or implied by the API key.
    pub store_ids: Vec<Option<String>>,
    /// What the sender's system calls the store; none where `store_ids` has it, or the API key implies it.
    pub external_ids: Vec<Option<String>>,
    /// Names of senders.
    pub sources: Vec<Option<String>>,
    /// Keys of metrics.
    pub metrics: Vec<Option<String>>,
    /// ISO 4217 codes.
    pub currencies: Vec<Option<String>>,
    /// JSON objects of scalars.
    pub dimensions: Vec<Option<String>>,
}

impl SeriesColumns {
    /// Whether all name the same store in the same way, and the same source.
    pub(super) fn are_of_one_sender(&self) -> bool {
        fn is_one(column: &[Option<String>]) -> bool {
            column.iter().all(|text| Some(text) == column.first())
        }
        is_one(&self.store_ids) && is_one(&self.external_ids) && is_one(&self.sources)
    }
}

/// An event of a batch, put together from its columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// See [`SeriesColumns`], and so on.
    pub store_id: Option<&'a str>,
    /// What the sender's system calls the store.
    pub external_id: Option<&'a str>,
    /// The name of the sender.
    pub source: Option<&'a str>,
    /// The key of the metric.
    pub metric: Option<&'a str>,
    /// An ISO 4217 code.
    pub currency: Option<&'a str>,
    /// A JSON object of scalars.
    pub dimensions: Option<&'a str>,
    /// The sender's id.
    pub id: Option<&'a str>,
    /// A decimal.
    pub value: Option<&'a str>,
    /// When it happened, microseconds since 1970.
    pub recorded_at: Option<i64>,
}

impl Columns {
    /// An event by its number, from 0.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        let series = usize::try_from((*self.numbers.get(index)?)?).ok()?.checked_sub(1)?;
        fn text(column: &[Option<String>], at: usize) -> Option<&str> {
            column.get(at)?.as_deref()
        }
        let SeriesColumns { store_ids, external_ids, sources, metrics, currencies, dimensions } = &self.series;
        Some(Row {
            store_id: text(store_ids, series),
            external_id: text(external_ids, series),
            source: text(sources, series),
            metric: text(metrics, series),
            currency: text(currencies, series),
            dimensions: text(dimensions, series),
            id: self.ids.iter().nth(index),
            value: self.values.iter().nth(index),
            recorded_at: self.recorded_at.get(index).copied().flatten(),
        })
    }
}
