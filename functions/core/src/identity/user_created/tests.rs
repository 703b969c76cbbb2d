//! What each provider's envelope comes to, and what no sender may say.

use super::*;
use crate::identity::user_id::user_id;
use serde_json::{Value, json};

const ISSUER: &str = "https://id.acme.example";
const USER: &str = "ff7fc9ae-3b1b-4642-9241-64adb9848a03";
const SENDERS: [Sender; 5] =
    [Sender::StandardWebhooks, Sender::WorkOs, Sender::SupabaseDatabase, Sender::Auth0, Sender::Kinde];

/// The fixtures, and who sends each.
const FIXTURES: [(Sender, &str); 8] = [
    (Sender::StandardWebhooks, include_str!("../../../../../tests/data/identity/supabase_after_user_created.json")),
    (Sender::StandardWebhooks, include_str!("../../../../../tests/data/identity/supabase_before_user_created.json")),
    (Sender::SupabaseDatabase, include_str!("../../../../../tests/data/identity/supabase_database_webhook.json")),
    (Sender::StandardWebhooks, include_str!("../../../../../tests/data/identity/clerk_user_created.json")),
    (Sender::StandardWebhooks, include_str!("../../../../../tests/data/identity/generic_user_created.json")),
    (Sender::WorkOs, include_str!("../../../../../tests/data/identity/workos_user_created.json")),
    (Sender::Auth0, include_str!("../../../../../tests/data/identity/auth0_user_created.json")),
    (Sender::Kinde, include_str!("../../../../../tests/data/identity/kinde_user_created.json")),
];

fn fixture(number: usize) -> Value {
    serde_json::from_str(FIXTURES[number].1).unwrap()
}

fn verdict(sender: Sender, payload: &Value) -> Result<Decision, Problem> {
    decide(sender, ISSUER, payload.to_string().as_bytes())
}

fn decision(sender: Sender, payload: &Value) -> Decision {
    verdict(sender, payload).unwrap()
}

fn refused(sender: Sender, payload: &Value) {
    assert_eq!(verdict(sender, payload).unwrap_err().kind(), Kind::MalformedBody, "{sender:?} {payload}");
}

/// Id, e-mail, profile and whether a sign-up waits.
fn provisioned(number: usize) -> (Uuid, Option<String>, Value, bool) {
    match decision(FIXTURES[number].0, &fixture(number)) {
        Decision::Provision { user_id, person, blocks_sign_up } => {
            (user_id, person.email, serde_json::from_str(&person.profile).unwrap(), blocks_sign_up)
        }
        Decision::Nothing => panic!("nothing is made of fixture {number}"),
    }
}

#[test]
fn each_provider_tells_who_it_is() {
    let uuid: Uuid = USER.parse().unwrap();
    let email = |name: &str| Some(format!("{name}@acme.example"));
    assert_eq!(provisioned(0), (uuid, email("wile"), json!({"company": "Acme Inc."}), true));
    assert_eq!(provisioned(2), (uuid, email("wile"), json!({"company": "Acme Inc."}), false));
    let clerk = user_id(ISSUER, "user_29w83sxmDNGwOuEthce5gg56FcC").unwrap();
    assert_eq!(provisioned(3), (clerk, email("wile"), json!({"full_name": "Wile Coyote"}), false));
    let generic = user_id(ISSUER, "customer-1001").unwrap();
    let (id, address, profile, _) = provisioned(4);
    assert_eq!((id, address, &profile["company"]), (generic, email("wile"), &json!("Acme Inc.")));
    let workos = user_id(ISSUER, "user_01E4ZCR3C56J083X43JQXF3JK5").unwrap();
    assert_eq!(provisioned(5), (workos, email("wile"), json!({"full_name": "Wile Coyote"}), false));
    let auth0 = user_id(ISSUER, "auth0|507f1f77bcf86cd799439020").unwrap();
    assert_eq!(provisioned(6), (auth0, email("wile"), json!({"company": "Acme Inc."}), false));
    let kinde = user_id(ISSUER, "kp_3a7c1f0e5d2b4c6f8a9b0c1d2e3f4a5b").unwrap();
    assert_eq!(provisioned(7), (kinde, email("wile"), json!({"full_name": "Wile Coyote"}), false));
}

#[test]
fn an_envelope_is_taken_from_its_own_sender_alone() {
    for (number, (its_own, _)) in FIXTURES.iter().enumerate() {
        for sender in SENDERS.into_iter().filter(|sender| sender != its_own) {
            // Rows may be signed, too; nothing else has two ways in.
            if (*its_own, sender) != (Sender::SupabaseDatabase, Sender::StandardWebhooks) {
                let made = verdict(sender, &fixture(number));
                assert!(!matches!(made, Ok(Decision::Provision { .. })), "{sender:?} {number}: {made:?}");
            }
        }
    }
    assert_eq!(decision(Sender::StandardWebhooks, &fixture(2)), decision(Sender::SupabaseDatabase, &fixture(2)));
}

#[test]
fn before_a_user_is_there_nothing_is_made() {
    for provider in ["email", "phone", "google"] {
        let mut payload = fixture(1);
        payload["user"]["app_metadata"] = json!({"provider": provider, "providers": [provider]});
        assert_eq!(decision(Sender::StandardWebhooks, &payload), Decision::Nothing);
    }
}

#[test]
fn other_hooks_are_told_that_they_are_wrong_here() {
    let mut payload = fixture(0);
    payload["metadata"]["name"] = json!("send-email");
    refused(Sender::StandardWebhooks, &payload);
}

#[test]
fn an_anonymous_user_gets_none() {
    for (number, place) in [(0, "/user"), (2, "/record"), (4, "/data")] {
        let mut payload = fixture(number);
        payload.pointer_mut(place).unwrap()["is_anonymous"] = json!(true);
        assert_eq!(decision(FIXTURES[number].0, &payload), Decision::Nothing, "{number}");
    }
}

#[test]
fn other_events_are_nothing() {
    for (number, key, event) in [
        (2, "type", "UPDATE"),
        (2, "type", "DELETE"),
        (3, "type", "user.updated"),
        (3, "type", "session.created"),
        (4, "type", "user.deleted"),
        (5, "event", "user.updated"),
        (6, "type", "user.deleted"),
        (7, "type", "user.updated"),
    ] {
        let mut payload = fixture(number);
        payload[key] = json!(event);
        assert_eq!(decision(FIXTURES[number].0, &payload), Decision::Nothing, "{number} {event}");
        payload.as_object_mut().unwrap().remove("data");
        assert_eq!(decision(FIXTURES[number].0, &payload), Decision::Nothing, "{number} {event}");
    }
}

#[test]
fn a_row_of_another_table_is_refused() {
    for (key, other) in [("table", "profiles"), ("schema", "public")] {
        let mut payload = fixture(2);
        payload[key] = json!(other);
        refused(Sender::SupabaseDatabase, &payload);
        refused(Sender::StandardWebhooks, &payload);
    }
}

#[test]
fn two_envelopes_at_once_are_refused() {
    let mut payload = fixture(0);
    payload["type"] = json!("user.created");
    payload["data"] = json!({"id": "user_1"});
    refused(Sender::StandardWebhooks, &payload);
}

#[test]
fn clerks_primary_address_counts_and_else_the_first() {
    let email = |payload: &Value| match decision(Sender::StandardWebhooks, payload) {
        Decision::Provision { person, .. } => person.email,
        Decision::Nothing => panic!("{payload}"),
    };
    let mut payload = fixture(3);
    payload["data"]["primary_email_address_id"] = Value::Null;
    assert_eq!(email(&payload).as_deref(), Some("old@gmail.com"));
    for none in [json!([]), Value::Null] {
        payload["data"]["email_addresses"] = none;
        assert_eq!(email(&payload), None);
    }
}

#[test]
fn clerks_metadata_name_the_company() {
    let mut payload = fixture(3);
    payload["data"]["unsafe_metadata"] = json!({"company": "Entered"});
    payload["data"]["public_metadata"] = json!({"company": "Checked"});
    let Decision::Provision { person, .. } = decision(Sender::StandardWebhooks, &payload) else { panic!() };
    assert!(person.profile.contains("Checked") && !person.profile.contains("Entered"), "{}", person.profile);
}

#[test]
fn null_metadata_is_no_metadata() {
    let mut payload = fixture(0);
    for place in ["/user/user_metadata", "/user/app_metadata", "/user/is_anonymous", "/metadata"] {
        *payload.pointer_mut(place).unwrap() = Value::Null;
        assert!(matches!(decision(Sender::StandardWebhooks, &payload), Decision::Provision { .. }), "{place}");
    }
}

#[test]
fn a_profile_too_deep_to_read_is_none() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let body = fixture(0).to_string().replace(r#"{"company":"Acme Inc."}"#, &deep);
    assert!(body.contains("[[["));
    let decision = decide(Sender::StandardWebhooks, ISSUER, body.as_bytes()).unwrap();
    assert!(matches!(decision, Decision::Provision { .. }));
}

#[test]
fn what_is_no_payload_is_refused() {
    for body in ["", "{", "[]", "{}", "null", r#"[{}, {}]"#, r#"{"user": {"id": 1}}"#, r#"{"user": null}"#] {
        for sender in SENDERS {
            let problem = decide(sender, ISSUER, body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind(), Kind::MalformedBody, "{sender:?} {body}");
        }
    }
    for id in [json!(""), json!("x".repeat(256)), json!(7), Value::Null] {
        for (number, place) in [
            (0, "/user/id"),
            (2, "/record/id"),
            (3, "/data/id"),
            (4, "/data/id"),
            (5, "/data/id"),
            (7, "/data/user/id"),
        ] {
            let mut payload = fixture(number);
            *payload.pointer_mut(place).unwrap() = id.clone();
            refused(FIXTURES[number].0, &payload);
        }
    }
}

#[test]
fn values_without_names_are_no_payload() {
    for (sender, payload) in [
        (Sender::StandardWebhooks, json!([null, "user.updated", null, null])),
        (Sender::WorkOs, json!(["user.updated"])),
        (Sender::SupabaseDatabase, json!(["DELETE", "auth", "users"])),
        (Sender::Auth0, json!(["1.0", "user.updated"])),
        (Sender::Kinde, json!(["event_1", "user.updated"])),
    ] {
        refused(sender, &payload);
    }
    for (number, place, values) in [
        (0, "/user", json!([USER, null, null, null])),
        (0, "/metadata", json!(["after-user-created"])),
        (2, "/record", json!([USER, null, null, null])),
        (3, "/data", json!(["user_1", null, null, null, null, null, null])),
        (3, "/data/email_addresses/0", json!([null, "wile@acme.example"])),
        (4, "/data", json!(["customer-1001", null, null])),
        (5, "/data", json!(["user_1", null, null, null, null])),
        (6, "/data", json!([fixture(6)["data"]["object"]])),
        (6, "/data/object", json!(["auth0|1", null, null, null, null, null])),
        (7, "/data", json!([fixture(7)["data"]["user"]])),
        (7, "/data/user", json!(["kp_1", null, null, null])),
    ] {
        let mut payload = fixture(number);
        *payload.pointer_mut(place).unwrap() = values;
        refused(FIXTURES[number].0, &payload);
    }
}

#[test]
fn a_refusal_does_not_repeat_what_was_sent() {
    let mut payload = fixture(2);
    payload["record"]["is_anonymous"] = json!("$2a$10$hash");
    let problem = verdict(Sender::SupabaseDatabase, &payload).unwrap_err();
    assert!(!problem.detail().contains("hash"), "{}", problem.detail());
    payload["record"].as_object_mut().unwrap().remove("id");
    payload["record"]["is_anonymous"] = json!(false);
    let problem = verdict(Sender::SupabaseDatabase, &payload).unwrap_err();
    assert!(problem.detail().contains("missing field `id`"), "{}", problem.detail());
}

#[test]
fn kindes_envelope_is_needed_whole() {
    for (parent, name) in [("", "event_id"), ("", "type"), ("", "data"), ("/data", "user"), ("/data/user", "id")] {
        let mut payload = fixture(7);
        payload.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        refused(Sender::Kinde, &payload);
    }
    let mut payload = fixture(7);
    for name in ["email", "first_name", "last_name", "organizations"] {
        payload["data"]["user"].as_object_mut().unwrap().remove(name);
    }
    let Decision::Provision { person, .. } = decision(Sender::Kinde, &payload) else { panic!("{payload}") };
    assert_eq!(person, Person { email: None, profile: "{}".to_owned() });
}

#[test]
fn a_hook_that_blocks_a_sign_up_is_known_by_its_beginning() {
    let begins = FIXTURES.map(|(_, text)| begins_as_hook(&text.as_bytes()[..text.len().min(300)]));
    assert_eq!(begins, [true, true, false, false, false, false, false, false]);
    assert!(begins_as_hook(br#"{"metadata":{"uuid":"x","name":"after-user-created"},"user":{"id":"#));
    assert!(!begins_as_hook(br#"{"metadata":{"uuid":"x","name":"send-email"},"user":{"id":"#));
    assert!(!begins_as_hook(b""));
}
