//! `docs/openapi.yaml` says what the bundle does: its routes, its problems, its examples, and whatever can be made of its
//! schemas.

mod examples;
mod generated;
mod problems;
mod routes;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::harness::repository;

/// What an OpenAPI document may call a method.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The document.
struct Document(Value);

/// What can be done at a path.
#[derive(Debug)]
struct Operation {
    path: &'static str,
    method: Method,
    value: &'static Value,
}

fn path() -> PathBuf {
    repository().join("docs/openapi.yaml")
}

/// The document, read once.
fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let text = fs::read_to_string(path()).unwrap();
        Document(serde_saphyr::from_str(&text).unwrap())
    });
    &DOCUMENT
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

impl Document {
    /// What a value is, or what it refers to.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is in another document"));
        self.0.pointer(pointer).unwrap_or_else(|| panic!("{reference} is nowhere"))
    }

    /// The paths, and the methods of each, in upper case.
    fn paths(&'static self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        object(&self.0["paths"]).iter().map(|(path, item)| {
            let methods = object(item).keys().filter(|name| METHODS.contains(&name.as_str()));
            (path.as_str(), methods.map(|name| name.to_uppercase()).collect())
        })
    }

    /// Every operation, in the order of the document.
    fn operations(&'static self) -> Vec<Operation> {
        let of_path = |(path, methods): (&'static str, Vec<String>)| {
            methods.into_iter().map(move |method| {
                let value = &self.0["paths"][path][method.to_lowercase()];
                Operation { path, method: method.parse().unwrap(), value }
            })
        };
        self.paths().flat_map(of_path).collect()
    }
}

impl Operation {
    /// Its answers, by status.
    fn responses(&self) -> impl Iterator<Item = (u16, &'static Value)> {
        object(&self.value["responses"])
            .iter()
            .map(|(status, response)| (status.parse().unwrap(), document().resolve(response)))
    }
}

/// The examples of a parameter or a media type, by name.
fn examples(of: &'static Value) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let examples = of.get("examples").map(object).into_iter().flatten();
    examples.map(|(name, example)| (name.as_str(), &document().resolve(example)["value"]))
}
