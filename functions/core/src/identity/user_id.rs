//! Ids of users: what each provider calls them, and the UUIDs that the database knows them by.

use uuid::Uuid;

/// Longer than any provider's; bytes. OpenID Connect lets `sub` have 255.
const MAX_LENGTH: usize = 255;
/// A UUID as it is usually written, with hyphens. Other ways to write one may be a provider's own ids.
const UUID_LENGTH: usize = 36;

/// The id of the user whom this issuer calls `subject`: in its webhooks and, as `sub`, in its access tokens.
///
/// A UUID stays what it is. Of anything else a UUID (version 5) is made, the same one every time. The issuer is part of it,
/// since two providers may call two people the same.
pub fn user_id(issuer: &str, subject: &str) -> Option<Uuid> {
    if subject.is_empty() || subject.len() > MAX_LENGTH {
        return None;
    }
    if subject.len() == UUID_LENGTH
        && let Ok(id) = subject.parse()
    {
        return Some(id);
    }
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, issuer.as_bytes());
    Some(Uuid::new_v5(&namespace, subject.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(issuer: &str, subject: &str) -> String {
        user_id(issuer, subject).unwrap().to_string()
    }

    #[test]
    fn a_uuid_stays() {
        let uuid = "ff7fc9ae-3b1b-4642-9241-64adb9848a03";
        assert_eq!(id("https://a", uuid), uuid);
        assert_eq!(id("https://b", &uuid.to_uppercase()), uuid);
    }

    #[test]
    fn anything_else_becomes_one_for_good() {
        // As `uuid5(uuid5(NAMESPACE_URL, issuer), subject)` of Python has them: they must never change.
        assert_eq!(id("https://clerk.acme.example", "user_29w83sxmDNGwOuEthce5gg56FcC"), CLERK);
        assert_eq!(id("https://acme.eu.auth0.com/", "auth0|507f1f77bcf86cd799439020"), AUTH0);
        assert_ne!(id("https://a", "user_1"), id("https://b", "user_1"));
        assert_ne!(id("https://a", "user_1"), id("https://a", "user_2"));
        let bare = "ff7fc9ae3b1b4642924164adb9848a03";
        assert_ne!(id("https://a", bare).replace('-', ""), bare);
    }

    const CLERK: &str = "62db6c5a-6f56-5d9a-ae2d-6fb708b7f2da";
    const AUTH0: &str = "2ec7853f-3e4d-5112-8512-3f449b9df910";

    #[test]
    fn what_is_no_id_has_none() {
        assert_eq!(user_id("https://a", ""), None);
        assert_eq!(user_id("https://a", &"x".repeat(MAX_LENGTH + 1)), None);
        assert!(user_id("https://a", &"x".repeat(MAX_LENGTH)).is_some());
    }
}
