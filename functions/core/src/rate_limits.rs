//! How much a tenant may send, and how much of it is left: `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers, structured fields of RFC 9651).

use crate::problem::{Kind, Problem};
use crate::statements::read_answer;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The largest integer of a structured field.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// The limits of a tenant as the database tells them, in events; one that is not there is not limited.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    minute: Option<RateLimit>,
    month: Option<RateLimit>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateLimit {
    /// Events in a window.
    quota: u64,
    /// Seconds that a window has.
    window: u64,
    /// Events in this window so far, which may be more than the quota.
    used: u64,
    /// Seconds until the next window.
    resets_in: u64,
}

/// What the database answers where a tenant may be over a limit.
#[derive(Debug, Deserialize)]
struct Judged {
    limits: RateLimits,
    limited: Option<Which>,
}

/// The limit that would be exceeded.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Minute,
    Month,
}

impl RateLimits {
    /// The limits in an answer of the database; a problem where it says that one of them is exceeded, so that nothing was done.
    pub fn of_answer(answer: &str) -> Result<Self, Problem> {
        let Judged { limits, limited } = read_answer(answer)?;
        let (kind, limit, window) = match limited {
            None => return Ok(limits),
            Some(Which::Minute) => (Kind::RateLimited, limits.minute, "minute"),
            Some(Which::Month) => (Kind::VolumeExceeded, limits.month, "month (UTC)"),
        };
        let (quota, used, wait) = limit.map_or((0, 0, 1), |limit| (limit.quota, limit.used, limit.resets_in));
        let detail = format!(
            "The organization's plan has {quota} events a {window}, {used} are used; nothing of this request was stored. \
             Try again in {wait} seconds."
        );
        let wait = u32::try_from(wait).unwrap_or(u32::MAX);
        Err(Problem::new(kind, detail).with_retry_after(wait).with_headers(limits.headers()))
    }

    /// The headers for any reply to the tenant, also where a limit is why it is refused; none where nothing is limited.
    pub fn headers(&self) -> HeaderMap {
        let policies = self.list(|name, limit| {
            format!("\"{name}\";q={};qu=\"events\";w={}", integer(limit.quota), integer(limit.window))
        });
        let limits = self.list(|name, limit| {
            let remaining = limit.quota.saturating_sub(limit.used);
            format!("\"{name}\";r={};t={}", integer(remaining), integer(limit.resets_in))
        });
        [(RATE_LIMIT_POLICY, policies), (RATE_LIMIT, limits)]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .filter_map(|(name, list)| Some((name, HeaderValue::try_from(list).ok()?)))
            .collect()
    }

    fn list(&self, member: impl Fn(&str, &RateLimit) -> String) -> String {
        let limits = [("minute", &self.minute), ("month", &self.month)];
        let members = limits.iter().filter_map(|(name, limit)| limit.as_ref().map(|limit| member(name, limit)));
        members.collect::<Vec<_>>().join(", ")
    }
}

fn integer(number: u64) -> u64 {
    number.min(MAX_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use sfv::{BareItem, List, ListEntry, Parser};

    const MINUTE: &str = r#"{"quota": 300000, "window": 60, "used": 12, "resets_in": 41}"#;

    fn headers(limits: &str) -> HeaderMap {
        serde_json::from_str::<RateLimits>(limits).unwrap().headers()
    }

    /// A list of texts with parameters, as somebody else's reader of structured fields has it.
    fn read(headers: &HeaderMap, name: &str) -> Value {
        let list: List = Parser::new(headers[name].as_bytes()).parse().unwrap();
        let plain = |item: &BareItem| match item {
            BareItem::Integer(number) => json!(i64::from(*number)),
            BareItem::String(text) => json!(text.as_str()),
            other => panic!("neither a number nor a text: {other:?}"),
        };
        let member = |entry: &ListEntry| match entry {
            ListEntry::Item(item) => {
                let parameters = item.params.iter().map(|(key, value)| (key.as_str().to_owned(), plain(value)));
                json!([plain(&item.bare_item), Value::Object(parameters.collect())])
            }
            ListEntry::InnerList(list) => panic!("a list in the list: {list:?}"),
        };
        list.iter().map(member).collect()
    }

    #[test]
    fn both_limits_are_told_as_structured_fields() {
        let month = r#"{"quota": 10000000, "window": 2592000, "used": 9999999, "resets_in": 86400}"#;
        let headers = headers(&format!(r#"{{"minute": {MINUTE}, "month": {month}}}"#));
        assert_eq!(
            headers["ratelimit-policy"],
            r#""minute";q=300000;qu="events";w=60, "month";q=10000000;qu="events";w=2592000"#
        );
        assert_eq!(headers["ratelimit"], r#""minute";r=299988;t=41, "month";r=1;t=86400"#);
        assert_eq!(
            read(&headers, "ratelimit-policy"),
            json!([
                ["minute", {"q": 300000, "qu": "events", "w": 60}],
                ["month", {"q": 10000000, "qu": "events", "w": 2592000}],
            ])
        );
        assert_eq!(
            read(&headers, "ratelimit"),
            json!([["minute", {"r": 299988, "t": 41}], ["month", {"r": 1, "t": 86400}]])
        );
    }

    #[test]
    fn what_is_not_limited_is_not_told() {
        assert!(headers("{}").is_empty());
        assert!(headers(r#"{"minute": null, "month": null}"#).is_empty());
        let headers = headers(&format!(r#"{{"month": {MINUTE}}}"#));
        assert_eq!(read(&headers, "ratelimit"), json!([["month", {"r": 299988, "t": 41}]]));
    }

    #[test]
    fn nothing_is_left_of_what_was_overrun() {
        let headers = headers(r#"{"minute": {"quota": 5, "window": 60, "used": 9, "resets_in": 0}}"#);
        assert_eq!(read(&headers, "ratelimit"), json!([["minute", {"r": 0, "t": 0}]]));
    }

    #[test]
    fn a_quota_that_no_field_can_say_is_the_largest_that_one_can() {
        let limit = json!({"quota": u64::MAX, "window": u64::MAX, "used": 0, "resets_in": u64::MAX});
        let headers = headers(&json!({"minute": limit}).to_string());
        let most = 999_999_999_999_999_i64;
        assert_eq!(read(&headers, "ratelimit-policy"), json!([["minute", {"q": most, "qu": "events", "w": most}]]));
        assert_eq!(read(&headers, "ratelimit"), json!([["minute", {"r": most, "t": most}]]));
    }

    #[test]
    fn an_answer_over_a_limit_is_a_problem_that_says_when_it_ends() {
        let answer = |limited: &str| {
            format!(r#"{{"accepted": 1, "limits": {{"minute": {MINUTE}, "month": {MINUTE}}}{limited}}}"#)
        };
        assert_eq!(RateLimits::of_answer(&answer("")).unwrap().headers().len(), 2);
        for (limited, kind) in [("minute", Kind::RateLimited), ("month", Kind::VolumeExceeded)] {
            let problem = RateLimits::of_answer(&answer(&format!(r#", "limited": "{limited}""#))).unwrap_err();
            assert_eq!((problem.kind(), problem.retry_after()), (kind, Some(41)));
            assert!(problem.detail().contains("300000") && problem.headers().contains_key("ratelimit"), "{problem:?}");
        }
        for wrong in ["", "{}", &answer(r#", "limited": "week""#)] {
            assert_eq!(RateLimits::of_answer(wrong).unwrap_err().kind(), Kind::Internal, "{wrong}");
        }
    }

    #[test]
    fn another_shape_is_refused() {
        for wrong in [r#"{"hour": null}"#, r#"{"minute": {"quota": -1, "window": 60, "used": 0, "resets_in": 0}}"#] {
            assert!(serde_json::from_str::<RateLimits>(wrong).is_err(), "{wrong}");
        }
    }
}
