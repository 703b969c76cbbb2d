//! How the events of a body are written: its content type.

use super::binary::Context;
use crate::problem::{Kind, Problem};
use http::{HeaderMap, header};
use mime::Mime;

/// How events are written.
#[derive(Debug, PartialEq, Eq)]
pub enum Format {
    /// One event, an array of events, or `{"events": [...]}`.
    Json,
    /// An event a line.
    Ndjson,
    /// A CloudEvent, context and data in one.
    CloudEvent,
    /// An array of CloudEvents.
    CloudEventBatch,
    /// The data of a CloudEvent, whose context is in the headers.
    BinaryCloudEvent(Context),
}

impl Format {
    /// The format that a request names.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let content_type = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(|text| text.parse::<Mime>().ok()),
            _ => None,
        };
        let content_type = content_type.ok_or_else(unsupported)?;
        if content_type.params().any(|(name, value)| name == mime::CHARSET && value != mime::UTF_8) {
            return Err(Problem::new(Kind::UnsupportedMediaType, "Send the body in UTF-8, as JSON is."));
        }
        match content_type.essence_str() {
            "application/json" => Ok(Context::from_headers(headers).map_or(Self::Json, Self::BinaryCloudEvent)),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Ndjson),
            "application/cloudevents+json" => Ok(Self::CloudEvent),
            "application/cloudevents-batch+json" => Ok(Self::CloudEventBatch),
            _ => Err(unsupported()),
        }
    }
}

fn unsupported() -> Problem {
    let detail = "Send the body with one `Content-Type`: `application/json`, `application/x-ndjson`, \
                  `application/cloudevents+json` or `application/cloudevents-batch+json`.";
    Problem::new(Kind::UnsupportedMediaType, detail)
}

/// Whether a media type is one of JSON.
pub(super) fn is_json(media_type: &str) -> bool {
    media_type.parse::<Mime>().is_ok_and(|mime| mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(content_types: &[&str]) -> Result<Format, Kind> {
        let mut headers = HeaderMap::new();
        for content_type in content_types {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        Format::of(&headers).map_err(|problem| problem.kind())
    }

    #[test]
    fn a_content_type_names_the_format() {
        for (content_type, format) in [
            ("application/json", Format::Json),
            ("application/json;", Format::Json),
            ("Application/JSON; charset=UTF-8", Format::Json),
            ("application/json;charset=\"utf-8\"; profile=x", Format::Json),
            ("application/x-ndjson", Format::Ndjson),
            ("application/ndjson", Format::Ndjson),
            ("application/jsonl", Format::Ndjson),
            ("application/cloudevents+json; charset=utf-8", Format::CloudEvent),
            ("application/CloudEvents-batch+json", Format::CloudEventBatch),
        ] {
            assert_eq!(of(&[content_type]), Ok(format), "{content_type}");
        }
    }

    #[test]
    fn other_content_types_are_refused() {
        for content_types in [
            &[][..],
            &[""],
            &["json"],
            &["text/csv"],
            &["application/vnd.api+json"],
            &["application/cloudevents+xml"],
            &["application/json; charset=utf-16"],
            &["application/json; charset=utf-8; charset=latin1"],
            &["application/x-ndjson; charset=latin1"],
            &["application/json", "application/json"],
            &["application/json, text/plain"],
        ] {
            assert_eq!(of(content_types), Err(Kind::UnsupportedMediaType), "{content_types:?}");
        }
    }

    #[test]
    fn a_header_makes_it_the_binary_mode() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("ce-id", HeaderValue::from_static("1"));
        assert_eq!(Format::of(&headers).unwrap(), Format::Json);
        headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
        assert!(matches!(Format::of(&headers).unwrap(), Format::BinaryCloudEvent(_)));
        // The other formats say themselves what they are.
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
        assert_eq!(Format::of(&headers).unwrap(), Format::CloudEvent);
    }

    #[test]
    fn json_has_many_names() {
        for (media_type, expected) in [
            ("application/json", true),
            ("text/json; a=b", true),
            ("application/vnd.x+json", true),
            ("text/xml", false),
        ] {
            assert_eq!(is_json(media_type), expected, "{media_type}");
        }
    }
}
