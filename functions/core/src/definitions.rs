//! `PUT /v1/metrics/{key}`: what a metric shall be. Its form is judged here; what it stands on, and what stands on it, the database
//! knows.

use crate::object::Object;
use crate::problem::{Kind, Problem};
use crate::statements::read_answer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The largest body, bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// The longest key, category, source and name of a dimension.
const MAX_NAME_LENGTH: usize = 63;
const MAX_DISPLAY_NAME_LENGTH: usize = 200;
const MAX_DESCRIPTION_LENGTH: usize = 2_000;
const MAX_FORMULA_LENGTH: usize = 1_000;
/// The most dimensions that rollups are kept by, and the most bytes of their names in all.
const MAX_DIMENSIONS: usize = 8;
const MAX_DIMENSIONS_BYTES: usize = 256;
/// The most places of a percentile.
const MAX_PLACES: usize = 6;

/// A definition as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    display_name: String,
    unit: Unit,
    aggregation_method: Method,
    #[serde(default = "other")]
    category: String,
    #[serde(default)]
    description: String,
    source: Option<String>,
    dimensions: Option<Vec<String>>,
    numerator: Option<String>,
    denominator: Option<String>,
    formula: Option<String>,
    distinct_dimension: Option<String>,
    percentile: Option<String>,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Currency,
    Count,
    Ratio,
}

/// How it comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Sum,
    Count,
    Avg,
    Min,
    Max,
    Last,
    Distinct,
    Percentile,
    Ratio,
    Formula,
}

/// What the database takes.
#[derive(Serialize)]
struct Stored<'a> {
    display_name: &'a str,
    unit: Unit,
    aggregation_method: Method,
    category: &'a str,
    description: &'a str,
    source: Option<&'a str>,
    metadata: Map<String, Value>,
}

/// What `api.put_metric` answers.
#[derive(Debug, Deserialize)]
pub struct Put {
    /// Whether the organization had none of its own before.
    pub created: bool,
    /// The definition.
    pub metric: Box<RawValue>,
}

impl Put {
    /// Reads the answer.
    pub fn read(answer: &str) -> Result<Self, Problem> {
        read_answer(answer)
    }
}

/// The key at the end of the path. What is no key is that of no metric.
pub fn key(text: &str) -> Result<&str, Problem> {
    if is_key(text) {
        return Ok(text);
    }
    let detail =
        "There is no such metric: a key has 1 to 63 lower-case letters, digits and underscores, a letter first.";
    Err(Problem::new(Kind::UnknownDefinition, detail))
}

impl Definition {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let Object(definition): Object<Self> = serde_json::from_slice(body).map_err(|error| {
            let example = r#"{"display_name": "…", "unit": "count", "aggregation_method": "sum"}"#;
            Problem::new(Kind::MalformedBody, format!("Send {example} and what else the metric needs: {error}."))
        })?;
        definition.check_texts()?;
        definition.check_unit()?;
        definition.check_members()?;
        definition.check_dimensions()?;
        definition.check_formula()?;
        Ok(definition)
    }

    /// JSON, as the database takes it.
    pub fn into_json(self) -> Result<String, Problem> {
        let mut metadata = Map::new();
        if !self.aggregation_method.is_derived() {
            metadata.insert("rollup_dimensions".into(), self.dimensions.unwrap_or_default().into());
        }
        let texts = [
            ("numerator", self.numerator),
            ("denominator", self.denominator),
            ("formula", self.formula),
            ("distinct_dimension", self.distinct_dimension),
            ("percentile", self.percentile),
        ];
        metadata.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
        let stored = Stored {
            display_name: &self.display_name,
            unit: self.unit,
            aggregation_method: self.aggregation_method,
            category: &self.category,
            description: &self.description,
            source: self.source.as_deref(),
            metadata,
        };
        serde_json::to_string(&stored).map_err(|error| Problem::ours(Kind::Internal, error))
    }

    fn check_texts(&self) -> Result<(), Problem> {
        line("display_name", &self.display_name, MAX_DISPLAY_NAME_LENGTH)?;
        line("category", &self.category, MAX_NAME_LENGTH)?;
        if self.description.chars().count() > MAX_DESCRIPTION_LENGTH || self.description.contains('\0') {
            return Err(invalid(format!(
                "`description` has at most {MAX_DESCRIPTION_LENGTH} characters, none of them zero."
            )));
        }
        self.source.iter().try_for_each(|source| name("source", source))
    }

    fn check_unit(&self) -> Result<(), Problem> {
        let units: &[Unit] = match self.aggregation_method {
            Method::Formula => &[Unit::Currency, Unit::Count, Unit::Ratio],
            Method::Ratio => &[Unit::Currency, Unit::Ratio],
            Method::Distinct => &[Unit::Count],
            _ => &[Unit::Currency, Unit::Count],
        };
        if units.contains(&self.unit) {
            return Ok(());
        }
        let names = units.iter().map(|unit| format!("`{}`", unit.name())).collect::<Vec<_>>().join(" or ");
        Err(invalid(format!("The `unit` of a metric of the method `{}` is {names}.", self.aggregation_method.name())))
    }

    /// Each method has the members that it needs, and none of another's.
    fn check_members(&self) -> Result<(), Problem> {
        let needed: &[&str] = match self.aggregation_method {
            Method::Ratio => &["numerator", "denominator"],
            Method::Formula => &["formula"],
            Method::Distinct => &["distinct_dimension"],
            Method::Percentile => &["percentile"],
            _ => &[],
        };
        for (member, is_there) in [
            ("numerator", self.numerator.is_some()),
            ("denominator", self.denominator.is_some()),
            ("formula", self.formula.is_some()),
            ("distinct_dimension", self.distinct_dimension.is_some()),
            ("percentile", self.percentile.is_some()),
        ] {
            if is_there != needed.contains(&member) {
                let needs = if is_there { "has no" } else { "needs a" };
                let method = self.aggregation_method.name();
                return Err(invalid(format!("A metric of the method `{method}` {needs} `{member}`.")));
            }
        }
        for (member, side) in [("numerator", &self.numerator), ("denominator", &self.denominator)] {
            if side.as_deref().is_some_and(|side| !is_key(side)) {
                return Err(invalid(format!("`{member}` is the key of a metric.")));
            }
        }
        self.distinct_dimension.iter().try_for_each(|dimension| name("distinct_dimension", dimension))?;
        if self.percentile.as_deref().is_some_and(|share| !is_share(share)) {
            return Err(invalid(format!(
                "`percentile` is a text such as \"0.95\", more than 0 and less than 1, of at most {MAX_PLACES} places."
            )));
        }
        Ok(())
    }

    fn check_dimensions(&self) -> Result<(), Problem> {
        let Some(names) = &self.dimensions else { return Ok(()) };
        if self.aggregation_method.is_derived() {
            return Err(invalid(
                "A ratio and a formula have no `dimensions`: those of the metrics they stand on count.",
            ));
        }
        names.iter().try_for_each(|dimension| name("dimensions", dimension))?;
        let is_new = |(index, name): (usize, &String)| !names[..index].contains(name);
        let bytes: usize = names.iter().map(String::len).sum();
        if names.len() > MAX_DIMENSIONS || bytes > MAX_DIMENSIONS_BYTES || !names.iter().enumerate().all(is_new) {
            return Err(invalid(format!(
                "`dimensions` has at most {MAX_DIMENSIONS} different names of {MAX_DIMENSIONS_BYTES} bytes in all."
            )));
        }
        Ok(())
    }

    /// What it says, the database reads.
    fn check_formula(&self) -> Result<(), Problem> {
        let Some(formula) = &self.formula else { return Ok(()) };
        let is_taken = |c: char| c.is_ascii_graphic() || matches!(c, ' ' | '\t' | '\r' | '\n');
        if formula.chars().count() > MAX_FORMULA_LENGTH || !formula.chars().all(is_taken) {
            return Err(invalid(format!(
                "`formula` has at most {MAX_FORMULA_LENGTH} characters, all of them of ASCII."
            )));
        }
        Ok(())
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Currency => "currency",
            Self::Count => "count",
            Self::Ratio => "ratio",
        }
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Last => "last",
            Self::Distinct => "distinct",
            Self::Percentile => "percentile",
            Self::Ratio => "ratio",
            Self::Formula => "formula",
        }
    }

    /// Whether it has no events of its own.
    fn is_derived(self) -> bool {
        matches!(self, Self::Ratio | Self::Formula)
    }
}

fn is_key(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= MAX_NAME_LENGTH
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_inner)
}

/// A decimal between 0 and 1, and neither of them.
fn is_share(text: &str) -> bool {
    text.strip_prefix("0.").is_some_and(|places| {
        (1..=MAX_PLACES).contains(&places.len())
            && places.bytes().all(|byte| byte.is_ascii_digit())
            && places.bytes().any(|byte| byte != b'0')
    })
}

/// Something to read, in one line.
fn line(member: &str, text: &str, max: usize) -> Result<(), Problem> {
    if text.trim().is_empty() || text.chars().count() > max || text.chars().any(char::is_control) {
        return Err(invalid(format!(
            "`{member}` has 1 to {max} characters, no control characters and not only spaces."
        )));
    }
    Ok(())
}

/// Something that a program goes by.
fn name(member: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.len() > MAX_NAME_LENGTH || text.chars().any(char::is_control) {
        return Err(invalid(format!("`{member}` needs 1 to {MAX_NAME_LENGTH} bytes without control characters.")));
    }
    Ok(())
}

fn other() -> String {
    "other".to_owned()
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::InvalidField, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &Value) -> Result<Definition, Problem> {
        Definition::read(body.to_string().as_bytes())
    }

    /// A sum of plain numbers, with other members.
    fn with(members: Value) -> Result<Definition, Problem> {
        let mut body = json!({"display_name": "Visits", "unit": "count", "aggregation_method": "sum"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        read(&body)
    }

    fn stored(members: Value) -> Value {
        serde_json::from_str(&with(members).unwrap().into_json().unwrap()).unwrap()
    }

    #[test]
    fn what_is_left_out_is_understood() {
        let expected = json!({
            "display_name": "Visits", "unit": "count", "aggregation_method": "sum", "category": "other", "description": "",
            "source": null, "metadata": {"rollup_dimensions": []}
        });
        assert_eq!(stored(json!({})), expected);
        assert_eq!(stored(json!({"source": null, "dimensions": null, "formula": null})), expected);
    }

    #[test]
    fn each_method_has_what_it_needs() {
        for (members, metadata) in [
            (json!({"dimensions": ["channel", "Land ü"]}), json!({"rollup_dimensions": ["channel", "Land ü"]})),
            (
                json!({"aggregation_method": "ratio", "unit": "ratio", "numerator": "a", "denominator": "b_2"}),
                json!({"numerator": "a", "denominator": "b_2"}),
            ),
            (
                json!({"aggregation_method": "formula", "unit": "currency", "formula": "(a -\n b) / 2"}),
                json!({"formula": "(a -\n b) / 2"}),
            ),
            (
                json!({"aggregation_method": "distinct", "distinct_dimension": "customer", "dimensions": ["channel"]}),
                json!({"distinct_dimension": "customer", "rollup_dimensions": ["channel"]}),
            ),
            (
                json!({"aggregation_method": "percentile", "unit": "currency", "percentile": "0.999999"}),
                json!({"percentile": "0.999999", "rollup_dimensions": []}),
            ),
        ] {
            assert_eq!(stored(members.clone())["metadata"], metadata, "{members}");
        }
    }

    #[test]
    fn a_member_of_a_wrong_value_is_told() {
        let ratio = |numerator: &str| json!({"aggregation_method": "ratio", "unit": "ratio", "numerator": numerator, "denominator": "b"});
        let formula = |formula: &str| json!({"aggregation_method": "formula", "formula": formula});
        let percentile = |share: &str| json!({"aggregation_method": "percentile", "percentile": share});
        for members in [
            json!({"display_name": ""}),
            json!({"display_name": " "}),
            json!({"display_name": "a\nb"}),
            json!({"display_name": "x".repeat(201)}),
            json!({"category": ""}),
            json!({"category": "x".repeat(64)}),
            json!({"description": "x".repeat(2_001)}),
            json!({"description": "\0"}),
            json!({"source": ""}),
            json!({"source": "x".repeat(64)}),
            json!({"unit": "ratio"}),
            json!({"aggregation_method": "distinct", "distinct_dimension": "customer", "unit": "currency"}),
            json!({"aggregation_method": "ratio", "unit": "count", "numerator": "a", "denominator": "b"}),
            json!({"numerator": "a"}),
            json!({"formula": "a"}),
            json!({"distinct_dimension": "customer"}),
            json!({"percentile": "0.5"}),
            json!({"aggregation_method": "distinct"}),
            json!({"aggregation_method": "percentile"}),
            json!({"aggregation_method": "formula"}),
            json!({"aggregation_method": "ratio", "unit": "ratio", "numerator": "a"}),
            json!({"aggregation_method": "formula", "formula": "a", "dimensions": []}),
            json!({"aggregation_method": "distinct", "distinct_dimension": ""}),
            json!({"aggregation_method": "distinct", "distinct_dimension": "x".repeat(64)}),
            json!({"dimensions": [""]}),
            json!({"dimensions": ["a", "a"]}),
            json!({"dimensions": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}),
            json!({"dimensions": (1..=5).map(|n| format!("{n}{}", "d".repeat(51))).collect::<Vec<_>>()}),
            ratio("A"),
            ratio(""),
            ratio(&"a".repeat(64)),
            formula(&"a".repeat(1_001)),
            formula("a − b"),
            formula("a\u{1}"),
            percentile("0"),
            percentile("1"),
            percentile("0.0"),
            percentile("0."),
            percentile(".5"),
            percentile("0.1234567"),
            percentile("0.5e0"),
            percentile("-0.5"),
        ] {
            assert_eq!(with(members.clone()).unwrap_err().kind(), Kind::InvalidField, "{members}");
        }
    }

    #[test]
    fn what_is_no_definition_is_told() {
        for members in [
            json!({"colour": "red"}),
            json!({"key": "visits"}),
            json!({"unit": "euro"}),
            json!({"aggregation_method": "median"}),
            json!({"percentile": 0.5}),
            json!({"dimensions": "channel"}),
            json!({"category": null}),
        ] {
            assert_eq!(with(members.clone()).unwrap_err().kind(), Kind::MalformedBody, "{members}");
        }
        for body in
            [json!({}), json!([]), json!("x"), json!(["Visits", "count", "sum"]), json!({"display_name": "Visits"})]
        {
            assert_eq!(read(&body).unwrap_err().kind(), Kind::MalformedBody, "{body}");
        }
        assert_eq!(Definition::read(b"{").unwrap_err().kind(), Kind::MalformedBody);
    }

    #[test]
    fn what_is_no_key_is_that_of_no_metric() {
        for good in ["a", "revenue_2", &"a".repeat(63)] {
            assert_eq!(key(good).unwrap(), good);
        }
        for bad in ["", "A", "2a", "_a", "a-b", "a%20b", "ä", &"a".repeat(64)] {
            assert_eq!(key(bad).unwrap_err().kind(), Kind::UnknownDefinition, "{bad}");
        }
    }
}
