//! The headers a component sees: the client's, and what the host says about the request.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use super::routes::Match;

const HOST_PREFIX: &str = "spin-";
const CHAINING_DOMAIN: &str = "spin.internal";

/// Removes what is between the client and the host alone.
pub(super) fn strip_transport<B>(request: &mut Request<B>) {
    let is_chaining = request.headers().get(HOST).is_some_and(|host| {
        let host = host.to_str().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name.split_once('.').is_some_and(|(_, domain)| domain == CHAINING_DOMAIN)
    });
    if is_chaining {
        request.headers_mut().remove(HOST);
    }
    request.headers_mut().remove(CONNECTION);
}

/// Makes the URI absolute. Fails if the request does not say, or says in two ways, which host it is for.
pub(super) fn set_authority<B>(request: &mut Request<B>) -> Result<()> {
    let mut parts = request.uri().clone().into_parts();
    let header = request.headers().get(HOST).map(parse_host).transpose()?;
    parts.authority = match (header, parts.authority) {
        (None, None) => anyhow::bail!("no 'Host' header present in request"),
        (Some(header), Some(uri)) if header != uri => {
            anyhow::bail!("authority in 'Host' header does not match authority in URI")
        }
        (header, uri) => header.or(uri),
    };
    parts.scheme = Some(Scheme::HTTP);
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(())
}

fn parse_host(host: &HeaderValue) -> Result<Authority> {
    let host = host.to_str().context("'Host' header is not valid UTF-8")?;
    host.parse().context("'Host' header contains an invalid authority")
}

/// The headers for the component. Fails if one of the client's is not UTF-8.
///
/// Stricter than Spin: it adds its headers after the client's of the same name, so that a component that reads the first
/// value believes the client. Here the client's are dropped.
pub(super) fn for_component(
    uri: &Uri,
    client: &HeaderMap,
    route: &Match<'_>,
    client_address: SocketAddr,
) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(client.len() + 8);
    for (name, value) in client {
        std::str::from_utf8(value.as_bytes()).with_context(|| format!("the header {name} is not UTF-8"))?;
        if !name.as_str().starts_with(HOST_PREFIX) {
            headers.append(name, value.clone());
        }
    }
    let host = client.get(HOST).map_or("localhost", |host| host.to_str().unwrap_or_default());
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    set(&mut headers, "path-info", &route.path_info);
    set(&mut headers, "full-url", &format!("http://{host}{path}"));
    set(&mut headers, "matched-route", route.based_route);
    set(&mut headers, "base-path", "/");
    set(&mut headers, "raw-component-route", route.raw_route);
    set(&mut headers, "component-route", route.route_prefix());
    set(&mut headers, "client-addr", &client_address.to_string());
    for (name, value) in &route.named {
        let name = name.replace('_', "-").to_ascii_lowercase();
        set(&mut headers, &format!("path-match-{name}"), value);
    }
    Ok(headers)
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    // A route may hold a name that no header can have; Spin leaves it out too.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(format!("{HOST_PREFIX}{name}")), HeaderValue::from_str(value))
    {
        headers.append(name, value);
    }
}
