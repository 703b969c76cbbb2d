//! The document's paths and methods are those that there are.

use std::collections::BTreeSet;
use std::fs;

use reqwest::Method;
use serde_json::Value;

use super::document;
use crate::answer::{Answer, ask};
use crate::harness::{Bundle, repository};

const ID: &str = "44444444-4444-4444-8444-444444444444";
const KEY: &str = "revenue";
/// Its provider reads a message from no status but 200.
const SPEAKS_200_ONLY: &str = "/hooks/access-token";

fn manifest() -> toml::Table {
    fs::read_to_string(repository().join("spin.toml")).unwrap().parse().unwrap()
}

/// The routes of `spin.toml`.
fn routes() -> Vec<String> {
    let triggers = manifest()["trigger"]["http"].as_array().unwrap().clone();
    triggers.iter().map(|trigger| trigger["route"].as_str().unwrap().to_owned()).collect()
}

/// A path with something in the place of its parameters.
fn filled(path: &str) -> String {
    path.replace("{id}", ID).replace("{key}", KEY)
}

fn covers(route: &str, path: &str) -> bool {
    match route.strip_suffix("/...") {
        Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        None => route == path,
    }
}

async fn send(bundle: &Bundle, method: Method, path: &str) -> Answer {
    ask(bundle.client.request(method, bundle.url(path))).await
}

#[test]
fn the_document_is_of_this_version_and_its_paths_are_the_manifests() {
    assert_eq!(document().0["info"]["version"].as_str(), manifest()["application"]["version"].as_str());
    let routes = routes();
    for (path, methods) in document().paths() {
        assert!(routes.iter().any(|route| covers(route, path)), "{path} is no route of spin.toml");
        assert!(!methods.is_empty(), "{path} has no method");
    }
    for route in routes {
        assert!(document().paths().any(|(path, _)| covers(&route, path)), "{route} is not in docs/openapi.yaml");
    }
}

#[tokio::test]
async fn a_path_has_the_methods_of_the_document_and_no_others() {
    let bundle = Bundle::start().await.unwrap();
    for (path, documented) in document().paths() {
        let documented: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
            let answer = send(&bundle, method.parse().unwrap(), &filled(path)).await;
            let what = format!("{method} {path}: {} {}", answer.status, answer.text);
            if documented.contains(method) {
                // Nobody may ask without a credential.
                assert_ne!(answer.status, 405, "{what}");
                assert!(answer.status == 401 || path == SPEAKS_200_ONLY, "{what}");
            } else if path == SPEAKS_200_ONLY {
                assert_eq!(answer.status, 200, "{what}");
                assert!(method == "HEAD" || answer.hook_error(405).contains("POST"), "{what}");
            } else {
                assert_eq!(answer.status, 405, "{what}");
                let allowed: BTreeSet<&str> = answer.headers["allow"].to_str().unwrap().split(", ").collect();
                assert_eq!(allowed, documented, "{what}");
                if method != "HEAD" {
                    answer.problem(405, "method-not-allowed");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_path_that_is_not_in_the_document_is_not_found() {
    let bundle = Bundle::start().await.unwrap();
    let routes = routes();
    let is_documented = |path: &str| {
        let matches = |documented: &str| {
            let (documented, path): (Vec<&str>, Vec<&str>) =
                (documented.split('/').collect(), path.split('/').collect());
            documented.len() == path.len()
                && documented.iter().zip(&path).all(|(one, other)| one == other || one.starts_with('{'))
        };
        document().paths().any(|(documented, _)| matches(documented))
    };
    let below = document().paths().map(|(path, _)| format!("{}/more", filled(path)));
    let elsewhere = ["/", "/v1", "/v1/event", "/v2/events", "/hooks", "/openapi.yaml"].map(str::to_owned);
    for path in below.chain(elsewhere).filter(|path| !is_documented(path)) {
        for method in [Method::GET, Method::POST] {
            let answer = send(&bundle, method, &path).await;
            if routes.iter().any(|route| covers(route, &path)) {
                answer.problem(404, "not-found");
            } else {
                // The platform's own.
                assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
            }
        }
    }
}

#[test]
fn a_route_with_a_wildcard_covers_what_is_below_it() {
    for (route, path, is_covered) in [
        ("/v1/me/...", "/v1/me", true),
        ("/v1/me/...", "/v1/me/x/y", true),
        ("/v1/me/...", "/v1/meet", false),
        ("/v1/query", "/v1/query", true),
        ("/v1/query", "/v1/query/x", false),
    ] {
        assert_eq!(covers(route, path), is_covered, "{route} {path}");
    }
}

#[test]
fn every_operation_shows_how_it_is_used() {
    for operation in document().operations() {
        let what = format!("{} {}", operation.method, operation.path);
        let media_types = |value: &'static Value| value.get("content").map(super::object).into_iter().flatten();
        if let Some(body) = operation.value.get("requestBody") {
            for (media_type, content) in media_types(document().resolve(body)) {
                assert!(super::examples(content).next().is_some(), "{what} has no example of {media_type}");
            }
        }
        let success = operation.responses().find(|(status, _)| *status < 300);
        let (status, success) = success.unwrap_or_else(|| panic!("{what} never succeeds"));
        let shown = media_types(success).flat_map(|(_, content)| super::examples(content)).count();
        assert!(shown > 0 || status == 204, "{what} has no example of a success");
        for (status, response) in operation.responses() {
            assert!(response["headers"].get("x-request-id").is_some(), "{what} {status} lacks x-request-id");
        }
    }
}
