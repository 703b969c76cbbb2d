//! Which component answers a path.

use serde_json::Value;

use super::{Probe, start_probe};
use crate::answer::ask;

async fn component(app: &Probe, path: &str) -> Value {
    app.json(path).await["component"].clone()
}

#[tokio::test]
async fn an_exact_route_also_answers_with_a_trailing_slash() {
    let app = start_probe().await;
    assert_eq!(component(&app, "/exact").await, "probe");
    assert_eq!(component(&app, "/exact/").await, "probe");
}

#[tokio::test]
async fn an_exact_route_beats_a_wildcard() {
    let app = start_probe().await;
    assert_eq!(component(&app, "/exact").await, "probe");
    assert_eq!(component(&app, "/exact/more").await, "other");
}

#[tokio::test]
async fn the_longest_prefix_wins() {
    let app = start_probe().await;
    assert_eq!(component(&app, "/deep/x").await, "probe");
    assert_eq!(component(&app, "/deep/er/x").await, "other");
    assert_eq!(component(&app, "/deep/er").await, "other");
    assert_eq!(component(&app, "/deep/erx").await, "probe");
}

#[tokio::test]
async fn a_wildcard_answers_its_own_prefix() {
    let app = start_probe().await;
    assert_eq!(component(&app, "/deep").await, "probe");
    assert_eq!(component(&app, "/deep/").await, "probe");
    assert_eq!(app.get("/deeper").await.status, 404);
}

#[tokio::test]
async fn a_name_stands_for_one_segment() {
    let app = start_probe().await;
    assert_eq!(component(&app, "/users/7").await, "probe");
    assert_eq!(component(&app, "/users/7/items/8").await, "other");
    assert_eq!(app.get("/users/7/items").await.status, 404);
    assert_eq!(app.get("/users").await.status, 404);
}

#[tokio::test]
async fn the_last_of_two_equal_routes_wins() {
    let app = start_probe().await;
    assert_eq!(component(&app, "/twice").await, "other");
}

#[tokio::test]
async fn no_route_is_a_404_without_a_body() {
    let app = start_probe().await;
    let response = app.get("/nowhere").await;
    assert_eq!(response.status, 404);
    assert_eq!(response.text, "");
}

#[tokio::test]
async fn a_path_is_matched_undecoded() {
    let app = start_probe().await;
    assert_eq!(app.get("/ex%61ct").await.status, 404);
    assert_eq!(component(&app, "/users/a%2Fb").await, "probe");
}

#[tokio::test]
async fn the_method_does_not_matter() {
    let app = start_probe().await;
    let url = format!("{}/exact", app.base_url);
    assert_eq!(ask(app.client.delete(url)).await.ok()["method"], "DELETE");
}

#[tokio::test]
async fn a_static_response_needs_no_component() {
    let app = start_probe().await;
    let response = app.get("/static").await;
    assert_eq!(response.status, 203);
    assert_eq!(response.headers["x-static"], "yes");
    assert_eq!(response.text, "fixed");
    let response = app.get("/static/plain").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.text, "");
}

#[tokio::test]
async fn the_well_known_paths_are_the_hosts() {
    let app = start_probe().await;
    let response = app.get("/.well-known/spin/health").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.text, "OK");
    let info = app.json("/.well-known/spin/info").await;
    assert_eq!(info["name"], "probe");
    assert_eq!(info["version"], "1.2.3");
    assert_eq!(app.get("/.well-known/spin/else").await.status, 404);
}
