//! The document's problems, codes and currencies are those of the code.

use std::collections::BTreeSet;

use serde_json::Value;
use tally_core::events::CURRENCIES;
use tally_core::problem::{Kind, Problem, TYPE_PREFIX};

use super::{Operation, document, examples, object};

fn kind(urn: &str) -> Kind {
    let code = urn.strip_prefix(TYPE_PREFIX).unwrap();
    *Kind::ALL.iter().find(|kind| kind.code() == code).unwrap_or_else(|| panic!("there is no problem {urn}"))
}

/// What a schema lets a text be.
fn choices(schema: &Value) -> Vec<&str> {
    let (one, several) = (schema.get("const"), schema.get("enum").and_then(Value::as_array));
    one.into_iter().chain(several.into_iter().flatten()).map(|text| text.as_str().unwrap()).collect()
}

/// The problems that a response may be; none where it is a success.
fn kinds(response: &'static Value) -> Vec<Kind> {
    let Some(content) = response.get("content").and_then(|content| content.get("application/problem+json")) else {
        return Vec::new();
    };
    let narrowed = &content["schema"]["allOf"][1]["properties"];
    let kinds: Vec<Kind> = choices(&narrowed["type"]).into_iter().map(kind).collect();
    assert!(!kinds.is_empty(), "a problem of no type: {response}");
    for kind in &kinds {
        assert_eq!(narrowed["status"]["const"], kind.status(), "{kind:?}");
        assert!(examples(content).any(|(name, _)| name == kind.code()), "{kind:?} has no example");
    }
    assert_eq!(examples(content).count(), kinds.len(), "{response}");
    kinds
}

#[test]
fn every_problem_is_in_the_document_and_no_other() {
    let listed = choices(&document().0["components"]["schemas"]["ProblemType"]);
    let expected: Vec<String> = Kind::ALL.iter().map(|kind| format!("{TYPE_PREFIX}{}", kind.code())).collect();
    assert_eq!(listed, expected);

    // And each is one that something answers.
    let responses = object(&document().0["components"]["responses"]).values();
    let answered: BTreeSet<&str> = responses.flat_map(kinds).map(Kind::code).collect();
    assert_eq!(answered, Kind::ALL.iter().map(|kind| kind.code()).collect());
}

#[test]
fn every_problem_of_an_operation_has_its_status() {
    for Operation { path, method, value } in document().operations() {
        let operation = Operation { path, method: method.clone(), value };
        for (status, response) in operation.responses() {
            let kinds = kinds(response);
            assert_eq!(kinds.is_empty(), status < 400, "{method} {path} {status}");
            for kind in kinds {
                assert_eq!(kind.status(), status, "{method} {path}: {kind:?}");
            }
            let has = |name: &str| response["headers"].get(name).is_some();
            assert_eq!(has("retry-after"), matches!(status, 429 | 503), "{method} {path} {status}");
            assert_eq!(has("allow"), status == 405, "{method} {path} {status}");
            assert_eq!(has("www-authenticate"), status == 401, "{method} {path} {status}");
        }
    }
}

#[test]
fn the_example_of_a_problem_is_what_the_code_would_write() {
    for kind in Kind::ALL {
        let example = &document().0["components"]["examples"][kind.code()]["value"];
        let detail = example["detail"].as_str().unwrap_or_else(|| panic!("{kind:?} has no example"));
        let problem = Problem::new(*kind, detail);
        let instance = example["instance"].as_str().unwrap().strip_prefix("urn:uuid:").unwrap();
        assert_eq!(&serde_json::to_value(problem.document(instance)).unwrap(), example);
    }
}

#[test]
fn the_currencies_are_those_that_events_may_have() {
    assert_eq!(choices(&document().0["components"]["schemas"]["Currency"]), CURRENCIES);
}
