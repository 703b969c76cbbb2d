//! Which trigger answers a path.

use anyhow::{Result, anyhow};
use routefinder::{RouteSpec, Router};

use super::guest_output::Sink;
use super::manifest::{HttpTrigger, Target};

/// Paths under this prefix are the host's.
pub(super) const RESERVED_PREFIX: &str = "/.well-known/spin/";
const WILDCARD: &str = "/...";

/// The public routes of an application.
pub(super) struct Routes {
    router: Router<Route>,
}

struct Route {
    raw: String,
    based: String,
    target: Target,
}

/// A path that has found its route.
pub(super) struct Match<'a> {
    /// Who answers.
    pub(super) target: &'a Target,
    /// The route as written in the manifest.
    pub(super) raw_route: &'a str,
    /// The route with a leading slash and without one trailing slash.
    pub(super) based_route: &'a str,
    /// What the trailing wildcard stands for, with its slashes.
    pub(super) path_info: String,
    /// What each `:name` stands for.
    pub(super) named: Vec<(String, String)>,
}

impl Match<'_> {
    /// The route as written, without its trailing wildcard.
    pub(super) fn route_prefix(&self) -> &str {
        self.raw_route.strip_suffix(WILDCARD).unwrap_or(self.raw_route)
    }
}

impl Routes {
    /// The routes of the triggers. The last of two equal ones wins, which is noted, as is a route nobody can reach.
    pub(super) fn new(triggers: &[HttpTrigger], sink: &Sink) -> Result<Self> {
        let mut routes: Vec<Route> = Vec::new();
        for trigger in triggers {
            let Some(raw) = &trigger.route else {
                continue;
            };
            let route = Route { raw: raw.clone(), based: based(raw), target: trigger.target.clone() };
            if route.based.starts_with(RESERVED_PREFIX) {
                sink.note("host", &format!("the route {raw} is under {RESERVED_PREFIX} and will never be reached"));
            }
            match routes.iter_mut().find(|other| other.raw == *raw) {
                Some(other) => {
                    sink.note("host", &format!("the route {raw} is given twice, the last one wins"));
                    *other = route;
                }
                None => routes.push(route),
            }
        }
        let mut router = Router::new();
        for route in routes {
            let spec = spec(&route.based).map_err(|error| anyhow!("the route {}: {error}", route.raw))?;
            router.add(spec, route).map_err(|error| anyhow!("{error}"))?;
        }
        Ok(Self { router })
    }

    /// The route that `path`, not decoded, belongs to: an exact one before a wildcard, the longest before a shorter.
    pub(super) fn find(&self, path: &str) -> Option<Match<'_>> {
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let route = found.handler();
        Some(Match {
            target: &route.target,
            raw_route: &route.raw,
            based_route: &route.based,
            path_info: captures.wildcard().map(|rest| path_info(rest, path)).unwrap_or_default(),
            named: captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }
}

fn based(raw: &str) -> String {
    let absolute = if raw.starts_with('/') { raw.to_owned() } else { format!("/{raw}") };
    match absolute.strip_suffix('/') {
        Some(trimmed) => trimmed.to_owned(),
        None => absolute,
    }
}

fn spec(based: &str) -> Result<RouteSpec, String> {
    match based.strip_suffix(WILDCARD) {
        Some(prefix) => format!("{prefix}/*").try_into(),
        None => based.try_into(),
    }
}

/// The router drops the slashes around what a wildcard stands for; a component sees them.
fn path_info(rest: &str, path: &str) -> String {
    let end = if path.ends_with('/') { "/" } else { "" };
    if rest.is_empty() { end.to_owned() } else { format!("/{rest}{end}") }
}
