//! CloudEvents 1.0: the context says which event of which metric it is, the data how much.

use super::event::{Event, Fields, Naming, Store};
use super::fault::{Fault, fault};
use super::format::is_json;
use super::json;
use super::name::has_control_characters;
use super::reading::Reading;
use crate::object::Object;
use crate::problem::Problem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// A CloudEvent in the JSON format. Attributes that are not listed are extensions, and mean nothing here.
#[derive(Deserialize)]
pub(super) struct CloudEvent<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    datacontenttype: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dimensions: Option<&'a RawValue>,
}

impl<'a> Event<'a> for CloudEvent<'a> {
    const NAMING: Naming = Naming { metric: "type", store: "subject", store_of };

    fn fields(self) -> Result<Fields<'a>, Fault> {
        let invalid = |detail: &str| fault("invalid_event", detail);
        if self.specversion != "1.0" {
            return Err(invalid("`specversion` is \"1.0\"."));
        }
        if self.data_base64.is_some() || self.datacontenttype.is_some_and(|content_type| !is_json(&content_type)) {
            return Err(invalid("The data of a CloudEvent is JSON, in `data`."));
        }
        let recorded_at = self.time.ok_or_else(|| invalid("`time` is needed: when it happened."))?;
        let data = self.data.ok_or_else(|| invalid("`data` is needed: an object with a `value`."))?;
        let Object(data) = serde_json::from_str::<Object<Data<'_>>>(data.get())
            .map_err(|error| invalid(&format!("`data` cannot be read: {error}.")))?;
        Ok(Fields {
            id: self.id,
            metric: self.r#type,
            store: self.subject.map_or(Ok(Store::Implied), store_of)?,
            value: data.value,
            currency: data.currency,
            recorded_at,
            source: Some(self.source),
            dimensions: data.dimensions,
        })
    }
}

/// Reads one CloudEvent.
pub(super) fn one(reading: &mut Reading, body: &[u8]) -> Result<(), Problem> {
    json::one::<CloudEvent<'_>>(reading, body)
}

/// Reads an array of CloudEvents.
pub(super) fn many(reading: &mut Reading, body: &[u8]) -> Result<(), Problem> {
    json::many::<CloudEvent<'_>>(reading, body)
}

/// The store of a subject.
fn store_of(subject: Cow<'_, str>) -> Result<Store<'_>, Fault> {
    if subject.is_empty() || has_control_characters(&subject) {
        return Err(fault(
            "invalid_event",
            "`subject` is the id of a store, ours or your own, without control characters.",
        ));
    }
    // A uuid has other forms too, without hyphens for one, but a text of 32 digits is as likely somebody's own id.
    let id = (subject.len() == 36).then(|| Uuid::try_parse(&subject).ok()).flatten();
    Ok(id.map_or(Store::External(subject), Store::Id))
}
