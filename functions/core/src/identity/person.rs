//! What the provider knows of a person, in the form that the database takes it: `app.organization_name` there decides what
//! to call their organization.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What is cut off is longer than any name; characters.
const MAX_LENGTH: usize = 400;
/// Applications keep a handful of entries in a profile.
const MAX_ENTRIES: usize = 200;

/// A person.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The address.
    pub email: Option<String>,
    /// What the person entered at sign-up: a flat JSON object of texts, which `jsonb` always takes.
    pub profile: String,
}

impl Person {
    /// `user_metadata` is the application's, whatever it is: what of it is no text says nothing of a name, and is no reason
    /// to refuse the user.
    pub fn new(email: Option<&str>, user_metadata: Option<&RawValue>) -> Self {
        Self::named(email, None, &[user_metadata])
    }

    /// A person whose name the provider knows apart from what applications keep; where two say something of the same
    /// kind, the later counts.
    pub fn named(email: Option<&str>, name: Option<&str>, metadata: &[Option<&RawValue>]) -> Self {
        let mut profile = BTreeMap::new();
        for metadata in metadata.iter().flatten() {
            profile.extend(texts(metadata).unwrap_or_default());
        }
        if let Some(name) = name.map(clean).filter(|name| !name.trim().is_empty()) {
            profile.insert("full_name".to_owned(), name);
        }
        Self { email: email.map(clean), profile: serde_json::to_string(&profile).unwrap_or_else(|_| "{}".to_owned()) }
    }
}

fn texts(metadata: &RawValue) -> Option<BTreeMap<String, String>> {
    // Values unread, so that one too deep or too odd to read does not take the others with it.
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(metadata.get()).ok()?;
    let texts = entries
        .into_iter()
        .filter_map(|(key, value)| Some((clean(&key), clean(&serde_json::from_str::<String>(value.get()).ok()?))));
    Some(texts.take(MAX_ENTRIES).collect())
}

/// Without control characters, of which Postgres refuses one (U+0000).
fn clean(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(user_metadata: &str) -> String {
        Person::new(None, Some(&RawValue::from_string(user_metadata.to_owned()).unwrap())).profile
    }

    #[test]
    fn texts_are_kept_and_nothing_else() {
        assert_eq!(
            profile(
                r#"{"name": "Wile", "company": "Acme \"é\"", "age": 7, "tags": ["x"], "at": {"x": "y"}, "no": null}"#
            ),
            r#"{"company":"Acme \"é\"","name":"Wile"}"#
        );
    }

    #[test]
    fn what_is_no_profile_is_an_empty_one() {
        assert_eq!(Person::new(None, None).profile, "{}");
        for odd in ["null", "[]", "7", r#""Acme""#, r#"["company", "Acme"]"#, r#"{"\ud800": "Acme"}"#] {
            assert_eq!(profile(odd), "{}", "{odd}");
        }
    }

    #[test]
    fn a_name_of_the_providers_goes_with_what_applications_keep() {
        let [theirs, ours] = [r#"{"company": "Acme", "full_name": "W"}"#, r#"{"company": "Bolt", "x": 1}"#]
            .map(|text| RawValue::from_string(text.to_owned()).unwrap());
        let person = Person::named(None, Some("Wile E."), &[Some(&theirs), None, Some(&ours)]);
        assert_eq!(person.profile, r#"{"company":"Bolt","full_name":"Wile E."}"#);
        assert_eq!(Person::named(None, Some(" "), &[Some(&theirs)]).profile, r#"{"company":"Acme","full_name":"W"}"#);
    }

    #[test]
    fn what_cannot_be_read_does_not_hide_the_rest() {
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let odd = format!(r#"{{"a": {deep}, "b": 1e999, "c": "\ud800", "company": "Acme"}}"#);
        assert_eq!(profile(&odd), r#"{"company":"Acme"}"#);
    }

    #[test]
    fn what_postgres_refuses_is_gone_and_what_is_long_is_cut() {
        assert_eq!(profile(r#"{"com\u0000pany": "A\u0000B\n\u0085"}"#), r#"{"company":"AB"}"#);
        assert_eq!(Person::new(Some("w\u{0}@x.org"), None).email.unwrap(), "w@x.org");
        let long = profile(&format!(r#"{{"company": "{}"}}"#, "é".repeat(500)));
        assert_eq!(long, format!(r#"{{"company":"{}"}}"#, "é".repeat(MAX_LENGTH)));
        let many: BTreeMap<String, String> = (0..500).map(|number| (number.to_string(), "x".to_owned())).collect();
        let kept: BTreeMap<String, String> =
            serde_json::from_str(&profile(&serde_json::to_string(&many).unwrap())).unwrap();
        assert_eq!(kept.len(), MAX_ENTRIES);
    }
}
