//! A request: one question, or several that are answered at once.

use super::answer::{Answers, Found};
use super::question::Query;
use super::{invalid, url};
use crate::object::Object;
use crate::parameters::Parameters;
use crate::problem::{Kind, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const MAX_QUERIES: usize = 50;
/// The field that several questions come in.
const QUERIES: &str = "queries";

/// What a request asks.
#[derive(Debug)]
pub struct Questions {
    queries: Vec<Query>,
    /// Whether it is one by itself, which is answered by itself.
    is_single: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several<'a> {
    #[serde(borrow)]
    queries: Vec<&'a RawValue>,
}

impl Questions {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let json: &RawValue = serde_json::from_slice(body)
            .map_err(|error| Problem::new(Kind::MalformedBody, format!("The body is not valid JSON: {error}.")))?;
        let has_several = serde_json::from_str::<BTreeMap<String, &RawValue>>(json.get())
            .is_ok_and(|fields| fields.contains_key(QUERIES));
        if !has_several {
            return Ok(Self { queries: vec![Query::read(json)?], is_single: true });
        }
        let Object(several): Object<Several<'_>> = serde_json::from_str(json.get())
            .map_err(|error| invalid(&format!("The queries cannot be read: {error}.")))?;
        if !(1..=MAX_QUERIES).contains(&several.queries.len()) {
            let detail = format!("`queries` has {} entries, it takes 1 to {MAX_QUERIES}.", several.queries.len());
            return Err(invalid(&detail));
        }
        let queries = several.queries.into_iter().enumerate().map(|(index, json)| labelled(index, Query::read(json)));
        Ok(Self { queries: queries.collect::<Result<_, _>>()?, is_single: false })
    }

    /// Reads the parameters of a URL, which ask one question.
    pub fn of(query: &str) -> Result<Self, Problem> {
        let parameters = Parameters::read(query, &url::PARAMETERS)?;
        Ok(Self { queries: vec![Query::read(&url::json(&parameters)?)?], is_single: true })
    }

    /// The questions, as the database takes them.
    pub fn asked(&self) -> Result<String, Problem> {
        let asked: Result<Vec<_>, Problem> = match self.queries.as_slice() {
            [query] if self.is_single => query.asked().map(|asked| vec![asked]),
            queries => queries.iter().enumerate().map(|(index, query)| labelled(index, query.asked())).collect(),
        };
        serde_json::to_string(&asked?).map_err(|error| Problem::ours(Kind::Internal, error))
    }

    /// The only question, if it came by itself.
    pub fn single(&self) -> Option<&Query> {
        self.queries.first().filter(|_| self.is_single)
    }

    /// The answers to the client.
    pub fn answers(self, found: Vec<Found>) -> Result<Answers, Problem> {
        Answers::new(self.queries, found, self.is_single)
    }
}

/// Says which of several questions a problem is about.
fn labelled<T>(index: usize, read: Result<T, Problem>) -> Result<T, Problem> {
    read.map_err(|problem| Problem::new(problem.kind(), format!("{QUERIES}[{index}]: {}", problem.detail())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn query() -> Value {
        json!({"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01"})
    }

    fn answer(body: &Value) -> Value {
        let questions = Questions::read(body.to_string().as_bytes()).unwrap();
        let asked: Value = serde_json::from_str(&questions.asked().unwrap()).unwrap();
        let found: Vec<Found> = (0..asked.as_array().unwrap().len())
            .map(|n| serde_json::from_value(json!({"series": [n], "meta": {}, "next_after": null})).unwrap())
            .collect();
        serde_json::to_value(questions.answers(found).unwrap()).unwrap()
    }

    #[test]
    fn one_is_answered_by_itself_and_several_in_their_order() {
        let single = answer(&query());
        assert_eq!((&single["series"], &single["query"]["metrics"]), (&json!([0]), &json!(["revenue"])));
        let several = answer(&json!({"queries": [query(), query()]}));
        assert_eq!(several["results"][1]["series"], json!([1]));
        assert_eq!(answer(&json!({"queries": [query()]}))["results"][0]["series"], json!([0]));
    }

    #[test]
    fn a_problem_says_which_it_is_about() {
        let mut wrong = query();
        wrong["fill"] = json!("guess");
        let problem = Questions::read(json!({"queries": [query(), wrong]}).to_string().as_bytes()).unwrap_err();
        assert!(problem.detail().starts_with("queries[1]: "), "{}", problem.detail());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(Questions::read(b"{").unwrap_err().kind(), Kind::MalformedBody);
        let mut mixed = query();
        mixed["queries"] = json!([query()]);
        for body in [json!({}), json!([query()]), json!({"queries": []}), json!({"queries": vec![query(); 51]}), mixed]
        {
            assert_eq!(Questions::read(body.to_string().as_bytes()).unwrap_err().kind(), Kind::InvalidQuery, "{body}");
        }
    }
}
