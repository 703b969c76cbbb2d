//! What to call the organization of a new user, from what the provider knows of the person.

use serde::Deserialize;
use serde_json::Value;

/// Longer names are cut; characters.
const MAX_LENGTH: usize = 200;
/// Providers leave the names of what people enter at sign-up to the application, so several are looked at.
const COMPANY_KEYS: [&str; 4] = ["company", "company_name", "organization", "organization_name"];
const PERSON_KEYS: [&str; 2] = ["full_name", "name"];

/// What people entered when they signed up: `user_metadata`, whatever it is.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Profile(Value);

impl Profile {
    fn first(&self, keys: &[&str]) -> Option<String> {
        keys.iter().filter_map(|key| self.0.get(key)?.as_str()).map(clean).find(|text| !text.is_empty())
    }
}

/// The company, else the person's, else the mailbox's, else just somebody's organization.
pub fn organization_name(profile: &Profile, email: Option<&str>) -> String {
    let mailbox = || email.and_then(|email| email.split_once('@')).map(|(mailbox, _)| clean(mailbox));
    let name = profile.first(&COMPANY_KEYS).or_else(|| {
        let person = profile.first(&PERSON_KEYS).or_else(mailbox).filter(|person| !person.is_empty())?;
        Some(format!("{person}'s organization"))
    });
    name.unwrap_or_else(|| "My organization".to_owned()).chars().take(MAX_LENGTH).collect()
}

/// Without the control characters that no name has, and that Postgres would refuse (U+0000).
fn clean(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(metadata: &str, email: Option<&str>) -> String {
        organization_name(&serde_json::from_str(metadata).unwrap(), email)
    }

    #[test]
    fn the_company_comes_first() {
        assert_eq!(name(r#"{"company": "Acme", "full_name": "Wile E."}"#, Some("w@x.org")), "Acme");
        assert_eq!(name(r#"{"organization": "Acme", "company": " "}"#, None), "Acme");
    }

    #[test]
    fn then_the_person_then_the_mailbox() {
        assert_eq!(name(r#"{"full_name": "Wile E."}"#, Some("w@x.org")), "Wile E.'s organization");
        assert_eq!(name("{}", Some("w@x.org")), "w's organization");
        assert_eq!(name("{}", None), "My organization");
    }

    #[test]
    fn what_is_no_name_is_none() {
        assert_eq!(name(r#"{"company": 7, "name": ["x"]}"#, Some("@")), "My organization");
        assert_eq!(name("[]", None), "My organization");
        assert_eq!(name(r#"{"company": " \u0000 "}"#, None), "My organization");
        assert_eq!(name(r#"{"company": "A\u0000B\n"}"#, None), "AB");
        assert_eq!(name(&format!(r#"{{"company": "{}"}}"#, "é".repeat(500)), None).chars().count(), MAX_LENGTH);
    }
}
