//! Asks about one company.

use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};

use super::Outcome;
use super::check::{difference, trimmed};
use super::company::Company;
use super::forms::{parameters, read_csv, table};
use super::founding::found;
use super::generator::{fits_events, question};
use super::oracle::{Expected, MOST_POINTS, answer};
use super::plan::Plan;
use super::question::Question;
use super::zones::Zones;
use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Random, Tenant};

/// How often is asked about one change of a clock.
const QUESTIONS: usize = 3;
/// How many questions go in one request.
const TOGETHER: usize = 20;

struct Interview<'a> {
    bundle: &'a Bundle,
    tenant: Tenant,
    company: Company,
    random: Random,
    outcome: Outcome,
}

/// Brings a company into being and asks what its plan says.
pub(super) async fn interview(bundle: &Bundle, zones: &Zones, plan: Plan, mut random: Random) -> Outcome {
    let names: Vec<String> = plan.asked.iter().map(|(name, _)| name.clone()).collect();
    let (tenant, company) = found(bundle, &names, &plan.focuses, &mut random).await;
    let mut interview = Interview { bundle, tenant, company, random, outcome: Outcome::default() };
    let mut together = Vec::new();
    for (name, focus) in &plan.asked {
        for _ in 0..QUESTIONS {
            let question = interview.think(name, *focus, &zones.changes[name]);
            let Ok(expected) = answer(&interview.company, &question) else {
                interview.refused(&question).await;
                continue;
            };
            together.push((question, expected));
            if together.len() == TOGETHER {
                interview.ask(std::mem::take(&mut together)).await;
            }
        }
    }
    interview.ask(together).await;
    interview.outcome
}

impl Interview<'_> {
    fn think(&mut self, zone: &str, focus: Timestamp, changes: &[Timestamp]) -> Question {
        let question = question(&mut self.random, zone, focus, self.company.stores.len());
        self.outcome.questions += 1;
        self.outcome.features.note(&question, changes);
        question
    }

    async fn post(&self, body: &Value) -> Answer {
        ask(post(self.bundle, "/v1/query", &self.tenant.token, body)).await
    }

    fn wrong(&mut self, body: &Value, what: &str) {
        self.outcome.wrong.push(format!("{body}\n{what}"));
    }

    async fn refused(&mut self, question: &Question) {
        self.outcome.features.count("refused");
        let body = question.json(&self.company);
        let answer = self.post(&body).await;
        if answer.status != 422 {
            self.wrong(&body, &format!("should be refused: {} {:.200}", answer.status, answer.text));
        }
    }

    /// Asks several questions in one request, some of them also of the events, and some in other ways too.
    async fn ask(&mut self, questions: Vec<(Question, Expected)>) {
        let mut bodies: Vec<Value> = questions.iter().map(|(question, _)| question.json(&self.company)).collect();
        let mut of_events = vec![None; questions.len()];
        for ((question, _), place) in questions.iter().zip(&mut of_events) {
            if fits_events(question) && self.random.below(2) == 0 {
                *place = Some(bodies.len());
                bodies.push(question.of_events().json(&self.company));
            }
        }
        let alone = questions.iter().map(|(_, expected)| expected.points());
        let again = questions.iter().zip(&of_events).filter(|(_, place)| place.is_some());
        let points: Vec<usize> = alone.chain(again.map(|((_, expected), _)| expected.points())).collect();
        let mut answers = Vec::new();
        while answers.len() < bodies.len() {
            let rest = answers.len()..bodies.len().min(answers.len() + TOGETHER);
            let mut sum = 0;
            let fitting = points[rest.clone()].iter().take_while(|points| {
                sum += **points;
                sum <= MOST_POINTS
            });
            let together = rest.start..rest.start + fitting.count();
            answers.extend(self.answers(&bodies[together]).await);
        }
        for (index, (question, expected)) in questions.iter().enumerate() {
            let (body, Some(answer)) = (&bodies[index], &answers[index]) else { continue };
            self.outcome.features.count(expected.source.unwrap_or("rollups or events"));
            if let Some(difference) = difference(question, expected, answer) {
                self.wrong(body, &difference);
            }
            if let Some(of_events) = of_events[index].and_then(|place| answers[place].as_ref()) {
                self.same_of_events(body, answer, of_events);
            }
            self.otherwise(question, body, answer).await;
        }
    }

    fn same_of_events(&mut self, body: &Value, answer: &Value, of_events: &Value) {
        self.outcome.features.count("of events");
        // Of equal values the least, say, may be one or the other.
        let (one, other) = (trimmed(&answer["series"]), trimmed(&of_events["series"]));
        if one != other || of_events["meta"]["source"] != "events" {
            let (one, other) = (one.as_array().unwrap(), other.as_array().unwrap());
            let first = one.iter().zip(other).find(|(one, other)| one != other);
            self.wrong(body, &format!("not the same of the events ({}): {}", of_events["meta"], json!(first)));
        }
    }

    /// The answers to a request, none where it was not answered.
    async fn answers(&mut self, bodies: &[Value]) -> Vec<Option<Value>> {
        let answer = self.post(&json!({"queries": bodies})).await;
        let json: Value = serde_json::from_str(&answer.text).unwrap();
        if let Some(results) = json["results"].as_array() {
            self.outcome.features.count("in one request");
            return results.iter().cloned().map(Some).collect();
        }
        self.wrong(&json!("several in one request"), &format!("{} {}", answer.status, answer.text));
        let mut answers = Vec::new();
        for body in bodies {
            let answer = self.post(body).await;
            let json: Value = serde_json::from_str(&answer.text).unwrap();
            if answer.status != 200 {
                self.wrong(body, &format!("{} {}", answer.status, answer.text));
            }
            answers.push(Some(json).filter(|_| answer.status == 200));
        }
        answers
    }

    /// Asks some questions once more: alone, by a URL, for CSV or by pages.
    async fn otherwise(&mut self, question: &Question, body: &Value, answer: &Value) {
        match self.random.below(12) {
            0 => self.alone(body, answer).await,
            1 => self.by_url(body, answer).await,
            2 => self.as_csv(question, body, answer).await,
            3..7 if question.top.is_none() && !question.group_by.is_empty() => self.pages(body, answer).await,
            _ => {}
        }
    }

    async fn alone(&mut self, body: &Value, answer: &Value) {
        let alone = self.post(body).await;
        if serde_json::from_str::<Value>(&alone.text).ok().as_ref() != Some(answer) {
            self.wrong(body, &format!("another answer by itself: {} {:.2000}", alone.status, alone.text));
        }
    }

    /// Asks by a URL.
    async fn by_url(&mut self, body: &Value, answer: &Value) {
        let url = Url::parse_with_params(&self.bundle.url("/v1/query"), parameters(body)).unwrap();
        let found = ask(self.bundle.client.get(url).bearer_auth(&self.tenant.token)).await;
        self.outcome.features.count("by url");
        if serde_json::from_str::<Value>(&found.text).ok().as_ref() != Some(answer) {
            self.wrong(body, &format!("another answer to a GET: {} {:.2000}", found.status, found.text));
        }
    }

    /// Asks for CSV.
    async fn as_csv(&mut self, question: &Question, body: &Value, answer: &Value) {
        let request = post(self.bundle, "/v1/query", &self.tenant.token, body).header("accept", "text/csv");
        let found = ask(request).await;
        self.outcome.features.count("as csv");
        if found.status != 200 || read_csv(&found.text) != Some(table(&question.group_by, answer)) {
            self.wrong(body, &format!("another answer as CSV: {} {:.2000?}", found.status, found.text));
        }
    }

    /// Asks page by page; the pages together are the whole answer.
    async fn pages(&mut self, body: &Value, answer: &Value) {
        let mut body = body.clone();
        body["limit"] = json!(1 + self.random.below(4));
        let (mut pages, mut count) = (Vec::new(), 0);
        loop {
            let page = self.post(&body).await;
            let json: Value = serde_json::from_str(&page.text).unwrap();
            let Some(series) = json["series"].as_array() else {
                self.wrong(&body, &format!("{} {}", page.status, page.text));
                return;
            };
            pages.extend(series.iter().cloned());
            count += 1;
            if json["next_cursor"].is_null() || count > 1_000 {
                break;
            }
            body["cursor"] = json["next_cursor"].clone();
        }
        // Each page has all its metrics.
        let of_metric =
            |metric: &Value| pages.iter().filter(|series| series["metric"] == *metric).cloned().collect::<Vec<_>>();
        let whole: Vec<Value> = body["metrics"].as_array().unwrap().iter().flat_map(of_metric).collect();
        self.outcome.features.count("pages");
        if json!(whole) != answer["series"] {
            let all = answer["series"].as_array().unwrap();
            let first = whole.iter().zip(all).position(|(one, other)| one != other);
            let (found, whole) = (first.map(|index| &whole[index]), whole.len());
            let what = format!(
                "its {count} pages have {whole} series of {}, and as the first one that is not the same",
                all.len()
            );
            self.wrong(&body, &format!("{what} {first:?}: {}", json!(found)));
        }
    }
}
