//! `allowed_outbound_hosts`: where a component may connect to.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use ipnet::IpNet;
use url::{Host, Url};

use super::manifest::{Component, Manifest};
use super::template::Template;
use super::variables::{Variables, check_known};

/// The domain by which Spin's components call each other, which this host does not serve.
const CHAINING_SUFFIX: &str = ".spin.internal";

/// The entries of one component, before their variables are filled in.
pub(super) struct AllowedHostTemplates {
    templates: Vec<(Template, String)>,
}

impl AllowedHostTemplates {
    /// Parses the entries, and checks them with the values that the variables have at start-up.
    pub(super) fn new(component: &Component, manifest: &Manifest, variables: &Variables) -> Result<Self> {
        let name = || format!("component.{}.allowed_outbound_hosts", component.id);
        let mut templates = Vec::new();
        for source in &component.allowed_outbound_hosts {
            let template = Template::parse(source).with_context(name)?;
            check_known(&template, manifest).with_context(name)?;
            templates.push((template, source.clone()));
        }
        let templates = Self { templates };
        templates.resolve(variables).with_context(name)?;
        Ok(templates)
    }

    /// The entries with the variables' values as they are now.
    pub(super) fn resolve(&self, variables: &Variables) -> Result<AllowedHosts> {
        // As in Spin, one variable without a value makes every check fail, used in an entry or not.
        variables.check_all()?;
        let mut entries = Vec::new();
        for (template, source) in &self.templates {
            let filled = variables.fill(template)?;
            let is_left_out = template.variables().next().is_some() && ["", "http://", "https://"].contains(&&*filled);
            if !is_left_out {
                entries.push(Entry::parse(&filled).with_context(|| format!("the entry {source:?}"))?);
            }
        }
        Ok(AllowedHosts { entries: entries.into() })
    }
}

/// Where one instance of a component may connect to.
#[derive(Clone)]
pub(super) struct AllowedHosts {
    entries: Arc<[Entry]>,
}

impl AllowedHosts {
    /// Whether `address`, a URL or `host[:port]` of the given scheme, is allowed.
    pub(super) fn allows(&self, address: &str, scheme: &str) -> bool {
        let Some(url) = parse_address(address, scheme) else {
            return false;
        };
        self.entries.iter().any(|entry| entry.allows(&url))
    }

    /// Whether HTTP requests to the application itself are allowed.
    pub(super) fn allows_self(&self) -> bool {
        self.entries.iter().any(|entry| {
            let is_http = entry.scheme.as_deref().is_none_or(|scheme| ["http", "https"].contains(&scheme));
            is_http && matches!(entry.host, HostPattern::Any | HostPattern::ToSelf)
        })
    }
}

fn parse_address(address: &str, scheme: &str) -> Option<Url> {
    match Url::parse(address) {
        Ok(url) if url.has_host() => Some(url),
        _ => Url::parse(&format!("{scheme}://{address}")).ok().filter(Url::has_host),
    }
}

struct Entry {
    scheme: Option<String>,
    host: HostPattern,
    port: PortPattern,
}

enum HostPattern {
    Any,
    Subdomains(String),
    Exactly(Host),
    Network(IpNet),
    ToSelf,
}

enum PortPattern {
    Any,
    Exactly(u16),
    Between(Range<u16>),
}

impl Entry {
    fn parse(entry: &str) -> Result<Self> {
        let (scheme, rest) = entry
            .trim()
            .split_once("://")
            .with_context(|| format!("{entry:?} is not of the form scheme://host[:port]"))?;
        ensure!(
            scheme == "*" || (!scheme.is_empty() && scheme.chars().all(char::is_alphabetic)),
            "the scheme {scheme:?} is neither * nor letters"
        );
        let (host, port) = match rest.rsplit_once(':') {
            None => (rest, ""),
            Some((host, "")) => (host, ""),
            // An IPv6 network has colons of its own.
            Some(_) if HostPattern::parse(rest).is_ok() => (rest, ""),
            Some((host, port)) => (host, strip_slash(port)?),
        };
        Ok(Self {
            host: HostPattern::parse(host).with_context(|| format!("the host {host:?}"))?,
            port: PortPattern::parse(port, scheme)?,
            scheme: (scheme != "*").then(|| scheme.to_owned()),
        })
    }

    fn allows(&self, url: &Url) -> bool {
        self.scheme.as_deref().is_none_or(|scheme| scheme == url.scheme())
            && url.host_str().is_some_and(|host| self.host.allows(host))
            && self.port.allows(url.port().or_else(|| well_known_port(url.scheme())))
    }
}

fn strip_slash(port: &str) -> Result<&str> {
    match port.split_once('/') {
        None => Ok(port),
        Some((port, "")) => Ok(port),
        Some((_, path)) => bail!("an entry may not have a path, this one has {path:?}"),
    }
}

impl HostPattern {
    fn parse(host: &str) -> Result<Self> {
        let host = host.trim();
        if host == "*" {
            return Ok(Self::Any);
        }
        if host == "self" || host == "self.alt" {
            return Ok(Self::ToSelf);
        }
        if let Ok(network) = host.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let host = host.strip_suffix('/').unwrap_or(host);
        ensure!(!host.contains('/'), "an entry may not have a path");
        ensure!(!host.starts_with('{'), "lists of hosts are not supported");
        let is_chaining = host.ends_with(CHAINING_SUFFIX);
        ensure!(!is_chaining, "calls between components ({host}) are not served by the local host");
        if let Some(domain) = host.strip_prefix("*.") {
            ensure!(!domain.contains('*'), "only the first label may be a wildcard");
            let Host::Domain(domain) = Host::parse(domain)? else {
                bail!("what follows *. must be a domain");
            };
            return Ok(Self::Subdomains(format!(".{domain}")));
        }
        ensure!(!host.contains('*'), "a wildcard stands for a whole host or its first label");
        Ok(Self::Exactly(Host::parse(host)?))
    }

    fn allows(&self, host: &str) -> bool {
        let Ok(host) = Host::parse(host) else {
            return false;
        };
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Exactly(exact), host) => *exact == host,
            (Self::Subdomains(suffix), Host::Domain(domain)) => domain.ends_with(suffix.as_str()),
            (Self::Network(network), Host::Ipv4(address)) => network.contains(&IpAddr::V4(address)),
            (Self::Network(network), Host::Ipv6(address)) => network.contains(&IpAddr::V6(address)),
            _ => false,
        }
    }
}

impl PortPattern {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        let number = |text: &str| text.parse::<u16>().with_context(|| format!("the port {text:?} is not a number"));
        match port {
            "*" => Ok(Self::Any),
            "" => well_known_port(scheme)
                .map(Self::Exactly)
                .with_context(|| format!("there is no port, and the scheme {scheme:?} has no well-known one")),
            port => match port.split_once("..") {
                Some((first, end)) => Ok(Self::Between(number(first)?..number(end)?)),
                None => Ok(Self::Exactly(number(port)?)),
            },
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::Exactly(exact), Some(port)) => *exact == port,
            (Self::Between(range), Some(port)) => range.contains(&port),
            (_, None) => false,
        }
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    match scheme {
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
