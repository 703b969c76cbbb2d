//! A component that does what the tests of the local host ask of it, and tells what it saw.
//!
//! ```text
//! GET  /probe/headers          the request's headers in order, its method and URI, and the component
//! POST /probe/echo             the request's body, as it comes
//! GET  /probe/variable?NAME    a variable, or the error
//! GET  /probe/environment      the environment
//! GET  /probe/count            this instance's number and requests
//! GET  /probe/stream?COUNT     COUNT lines, one chunk each
//! POST /probe/stream-trap      a line, then a trap once the request's body has ended
//! GET  /probe/log              a line to stdout and one to stderr
//! GET  /probe/trap             a trap
//! GET  /probe/error            an error-code instead of an answer
//! POST /probe/fetch            GET of the URL in the body
//! POST /probe/postgres         the script in the body, see `script`, and what `count` tells
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the probe asks for each function of the platform by itself"
)]

mod script;
mod values;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::env;
use std::hash::{BuildHasher as _, RandomState};

use bytes::Bytes;
use futures::SinkExt as _;
use serde_json::{Value, json};
use spin_sdk::http::body::{IncomingBodyExt as _, stream};
use spin_sdk::http::{BoxBody, Error, FullBody, HeaderValue, IntoResponse, Request, Response, box_body};
use spin_sdk::wasip3::http::types::ErrorCode;
use spin_sdk::{variables, wasip3};

thread_local! {
    static INSTANCE: u64 = RandomState::new().hash_one(0);
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
    static ACTIVE: Cell<u32> = const { Cell::new(0) };
}

#[spin_sdk::http_service]
async fn handle(request: Request) -> Result<impl IntoResponse, Error> {
    REQUESTS.set(REQUESTS.get() + 1);
    ACTIVE.set(ACTIVE.get() + 1);
    let response = answer(request).await;
    ACTIVE.set(ACTIVE.get() - 1);
    response
}

async fn answer(request: Request) -> Result<Response<BoxBody>, Error> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let path = request.uri().path();
    let name = path.strip_prefix("/probe/").or(path.strip_prefix("/other/")).unwrap_or("headers").to_owned();
    match name.as_str() {
        "echo" => Ok(Response::new(box_body(request.into_body()))),
        "variable" => Ok(reply(&variable(&query).await)),
        "environment" => Ok(reply(&json!(env::vars().collect::<BTreeMap<_, _>>()))),
        "count" => Ok(reply(&count())),
        "stream" => Ok(chunks(query.parse().unwrap_or(1), None)),
        "stream-trap" => Ok(chunks(1, Some(request))),
        "log" => Ok(log()),
        "trap" => panic!("the probe was asked to trap"),
        "error" => Err(ErrorCode::InternalError(Some("the probe was asked to fail".to_owned())).into()),
        "fetch" => Ok(reply(&fetch(request).await?)),
        "postgres" => Ok(reply(&postgres(request).await?)),
        _ => Ok(reply(&headers(&request))),
    }
}

fn reply(value: &Value) -> Response<BoxBody> {
    let mut response = Response::new(box_body(FullBody::new(Bytes::from(value.to_string()))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn headers(request: &Request) -> Value {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    json!({
        "component": env::var("COMPONENT").ok(),
        "method": request.method().as_str(),
        "uri": request.uri().to_string(),
        "headers": headers,
    })
}

async fn variable(name: &str) -> Value {
    match variables::get(name).await {
        Ok(value) => json!({"value": value}),
        Err(variables::Error::InvalidName(text)) => json!({"error": "invalid-name", "text": text}),
        Err(variables::Error::Undefined(text)) => json!({"error": "undefined", "text": text}),
        Err(variables::Error::Provider(text)) => json!({"error": "provider", "text": text}),
        Err(variables::Error::Other(text)) => json!({"error": "other", "text": text}),
    }
}

fn count() -> Value {
    // The instance's number as text: JSON numbers lose its last digits.
    json!({"instance": INSTANCE.with(u64::to_string), "requests": REQUESTS.get(), "active": ACTIVE.get()})
}

async fn postgres(request: Request) -> Result<Value, Error> {
    let mut answer = count();
    let told = script::run(&request.into_body().bytes().await?).await;
    if let (Value::Object(answer), Value::Object(told)) = (&mut answer, told) {
        answer.extend(told);
    }
    Ok(answer)
}

fn chunks(count: u32, trap_after: Option<Request>) -> Response<BoxBody> {
    let (mut sender, body) = stream::<String>();
    wasip3::spawn(async move {
        for number in 0..count {
            if sender.send(format!("{number}\n")).await.is_err() {
                return;
            }
        }
        if let Some(request) = trap_after {
            // Whichever way it ends.
            let _ = request.into_body().bytes().await;
            panic!("the probe was asked to trap")
        }
    });
    Response::new(box_body(body))
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what is probed")]
fn log() -> Response<BoxBody> {
    println!("a line to stdout");
    eprintln!("a line to stderr");
    reply(&Value::Null)
}

async fn fetch(request: Request) -> Result<Value, Error> {
    let url = request.into_body().bytes().await?;
    Ok(match spin_sdk::http::get(String::from_utf8_lossy(&url)).await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().bytes().await?;
            json!({"status": status, "body": String::from_utf8_lossy(&body)})
        }
        Err(code) => json!({"error": format!("{code:?}")}),
    })
}
