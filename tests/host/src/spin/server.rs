//! The HTTP server: takes connections, finds who answers, and answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wasmtime_wasi_http::handler::{ErrorCode, ProxyHandler};
use wasmtime_wasi_http::p3::bindings::http::types as p3;

use super::guest_output::Sink;
use super::headers;
use super::manifest::{Manifest, StaticResponse, Target};
use super::reuse::{Instances, Stop};
use super::routes::{Match, RESERVED_PREFIX, Routes};

/// How long requests may take to finish when the host shuts down.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Body = UnsyncBoxBody<Bytes, wasmtime::Error>;

/// An application ready to serve.
pub(super) struct Server {
    info: Bytes,
    routes: Routes,
    handlers: HashMap<String, ProxyHandler<Instances>>,
    sink: Sink,
}

impl Server {
    /// Serves the manifest's routes with the components' handlers.
    pub(super) fn new(
        manifest: &Manifest,
        handlers: HashMap<String, ProxyHandler<Instances>>,
        sink: Sink,
    ) -> Result<Self> {
        let mut info = serde_json::Map::new();
        info.insert("name".to_owned(), manifest.name().into());
        if let Some(version) = manifest.version() {
            info.insert("version".to_owned(), version.into());
        }
        Ok(Self {
            info: serde_json::to_vec_pretty(&info)?.into(),
            routes: Routes::new(manifest.triggers(), &sink)?,
            handlers,
            sink,
        })
    }

    /// Serves until told to stop, then lets what is under way finish.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, stop: Stop) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, client)) => {
                        connections.spawn(Arc::clone(&self).serve_connection(stream, client, graceful.watcher()));
                    }
                    Err(error) => {
                        self.sink.note("host", &format!("cannot accept a connection: {error}"));
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                // Finished connections are taken out, so that the set does not grow for ever.
                Some(_) = connections.join_next() => {}
                _ = stop.clone() => break,
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
            self.sink.note("host", "requests were still under way at shutdown and are cut off");
        }
        connections.shutdown().await;
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr, watcher: Watcher) {
        // Spin does not, and so waits 40 ms for the acknowledgement of each response head on a kept-alive connection.
        if let Err(error) = stream.set_nodelay(true) {
            self.sink.note("host", &format!("cannot set TCP_NODELAY: {error}"));
        }
        let server = Arc::clone(&self);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { server.respond(request, client).await }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            self.sink.note("host", &format!("a connection from {client} failed: {error}"));
        }
    }

    /// Answers a request. An error drops the connection without an answer.
    async fn respond(&self, mut request: Request<Incoming>, client: SocketAddr) -> Result<Response<Body>> {
        headers::strip_transport(&mut request);
        let path = request.uri().path().to_owned();
        if let Some(name) = path.strip_prefix(RESERVED_PREFIX) {
            return self.respond_reserved(name);
        }
        let Some(route) = self.routes.find(&path) else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        headers::set_authority(&mut request)?;
        match route.target {
            Target::Static(response) => respond_static(response),
            Target::Component(id) => Ok(match self.respond_component(id, request, &route, client).await {
                Ok(response) => response,
                Err(error) => {
                    self.sink.note(id, &format!("a request to {path} failed: {error:?}"));
                    empty(StatusCode::INTERNAL_SERVER_ERROR)
                }
            }),
        }
    }

    fn respond_reserved(&self, name: &str) -> Result<Response<Body>> {
        match name {
            "health" => Ok(Response::new(full("OK"))),
            "info" => Ok(Response::builder().header(CONTENT_TYPE, "application/json").body(full(self.info.clone()))?),
            _ => Ok(empty(StatusCode::NOT_FOUND)),
        }
    }

    async fn respond_component(
        &self,
        id: &str,
        mut request: Request<Incoming>,
        route: &Match<'_>,
        client: SocketAddr,
    ) -> Result<Response<Body>> {
        let handler = self.handlers.get(id).with_context(|| format!("unknown component {id:?}"))?;
        let for_component = headers::for_component(request.uri(), request.headers(), route, client)?;
        *request.headers_mut() = for_component;
        let request = request.map(|body| {
            body.map_err(|error| ErrorCode::P3(p3::ErrorCode::from_hyper_request_error(error))).boxed_unsync()
        });
        Ok(handler.handle((), request).await?)
    }
}

fn respond_static(response: &StaticResponse) -> Result<Response<Body>> {
    let mut builder = Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    Ok(builder.body(full(response.body.clone()))?)
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}
