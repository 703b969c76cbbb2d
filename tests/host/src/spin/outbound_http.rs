//! `wasi:http/client`: requests of components, held against `allowed_outbound_hosts`.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpHooks, default_send_request};

use super::instance::InstanceHosts;

/// The host name by which a component asks its own application.
const SELF_HOST: &str = "self.alt";

type Body = UnsyncBoxBody<Bytes, ErrorCode>;
type Io = Box<dyn Future<Output = Result<(), ErrorCode>> + Send>;
type Sent = Result<(Response<Body>, Io), TrappableError<ErrorCode>>;

/// One instance's way out.
pub(super) struct OutboundHttp {
    pub(super) hosts: InstanceHosts,
    /// Where this application listens.
    pub(super) own_address: SocketAddr,
}

impl WasiHttpHooks for OutboundHttp {
    fn send_request(
        &mut self,
        mut request: Request<Body>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let checked = check(&mut request, &self.hosts, self.own_address);
        Box::new(async move {
            checked?;
            let (response, io) = default_send_request(request, options).await?;
            Ok((response.map(|body| body.boxed_unsync()), Box::new(io) as Io))
        })
    }
}

fn check(request: &mut Request<Body>, hosts: &InstanceHosts, own_address: SocketAddr) -> Result<(), ErrorCode> {
    let allowed = hosts.resolve().map_err(|_| ErrorCode::HttpRequestDenied)?;
    if request.uri().host() == Some(SELF_HOST) {
        if !allowed.allows_self() {
            return Err(ErrorCode::HttpRequestDenied);
        }
        return redirect(request, own_address).map_err(|_| ErrorCode::HttpRequestUriInvalid);
    }
    if !allowed.allows(&request.uri().to_string(), "https") {
        return Err(ErrorCode::HttpRequestDenied);
    }
    Ok(())
}

fn redirect(request: &mut Request<Body>, own_address: SocketAddr) -> Result<(), http::Error> {
    let authority: Authority = own_address.to_string().parse()?;
    let host = HeaderValue::from_str(authority.as_str())?;
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts)?;
    request.headers_mut().insert(HOST, host);
    Ok(())
}
