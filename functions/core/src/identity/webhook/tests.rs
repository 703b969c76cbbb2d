//! The published vectors, and what the official libraries' own tests refuse.

use super::*;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Vectors of the official libraries: secret, id, timestamp, body, signature.
const VECTORS: [[&str; 5]; 2] = [
    [
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        "1649367553",
        r#"{"email":"test@example.com","username":"test_user"}"#,
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    ],
    [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        r#"{"test": 2432232314}"#,
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ],
];

fn headers(prefix: &str, id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("id", id), ("timestamp", timestamp), ("signature", signature)] {
        let name: http::HeaderName = format!("{prefix}{name}").parse().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    headers
}

fn at(timestamp: &str, offset: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((timestamp.parse::<i64>().unwrap() + offset).try_into().unwrap())
}

fn verdict(secrets: &str, signature: &str, offset: i64) -> Option<Kind> {
    let [_, id, timestamp, body, _] = VECTORS[0];
    WebhookSecrets::parse(secrets)
        .unwrap()
        .verify(&headers("webhook-", id, timestamp, signature), body.as_bytes(), at(timestamp, offset))
        .err()
        .map(|problem| problem.kind())
}

#[test]
fn published_vectors_verify_under_both_header_names() {
    for [secret, id, timestamp, body, signature] in VECTORS {
        for prefix in HEADER_PREFIXES {
            let secrets = WebhookSecrets::parse(secret).unwrap();
            let headers = headers(prefix, id, timestamp, signature);
            secrets.verify(&headers, body.as_bytes(), at(timestamp, 0)).unwrap();
            let changed = secrets.verify(&headers, b"{}", at(timestamp, 0)).unwrap_err();
            assert_eq!(changed.kind(), Kind::InvalidSignature);
        }
    }
}

#[test]
fn a_rotation_has_several_secrets_and_several_signatures() {
    let [[secret, .., good], [other, .., wrong]] = VECTORS;
    assert_eq!(verdict(&format!("v1,{other}|v1,{secret}"), good, 0), None);
    for list in [
        format!("{wrong} {good}"),
        format!("{wrong}, {good}"),
        format!("{good}, {wrong}"),
        format!("v2,x {good}"),
        format!("{}{good}", "v1a,x ".repeat(20)),
    ] {
        assert_eq!(verdict(secret, &list, 0), None, "{list}");
    }
    assert_eq!(verdict(other, good, 0), Some(Kind::InvalidSignature));
}

#[test]
fn what_is_not_the_whole_signature_does_not_match() {
    let [secret, .., good] = VECTORS[0];
    for bad in ["", "v1,", "v1", &good[..11], &good[3..], "v2,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="] {
        assert_eq!(verdict(secret, bad, 0), Some(Kind::InvalidSignature), "{bad}");
    }
}

#[test]
fn five_minutes_either_way_and_no_more() {
    let [secret, .., good] = VECTORS[0];
    assert_eq!(verdict(secret, good, 300), None);
    assert_eq!(verdict(secret, good, -300), None);
    assert_eq!(verdict(secret, good, 301), Some(Kind::StaleTimestamp));
    assert_eq!(verdict(secret, good, -301), Some(Kind::StaleTimestamp));
}

#[test]
fn each_header_is_needed() {
    let [secret, id, timestamp, body, signature] = VECTORS[0];
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut headers = headers("webhook-", id, timestamp, signature);
        headers.remove(name);
        let verdict = WebhookSecrets::parse(secret).unwrap().verify(&headers, body.as_bytes(), at(timestamp, 0));
        assert_eq!(verdict.unwrap_err().kind(), Kind::InvalidSignature, "{name}");
    }
    let headers = headers("webhook-", id, "soon", signature);
    let verdict = WebhookSecrets::parse(secret).unwrap().verify(&headers, body.as_bytes(), at(timestamp, 0));
    assert_eq!(verdict.unwrap_err().kind(), Kind::InvalidSignature);
}

#[test]
fn without_a_secret_no_signature_fits() {
    let [_, id, timestamp, body, good] = VECTORS[0];
    // Nor what the empty secret signs.
    let mac = Hmac::<Sha256>::new_from_slice(&[]).unwrap().chain_update(format!("{id}.{timestamp}.{body}")).finalize();
    let by_nobody = format!("v1,{}", BASE64.encode(mac.into_bytes()));
    for none in ["", " ", "|", "[]", r#"["", " "]"#] {
        assert!(WebhookSecrets::parse(none).unwrap().is_empty());
        for signature in [good, &by_nobody, "v1,", ""] {
            assert_eq!(verdict(none, signature, 0), Some(Kind::InvalidSignature), "{none} {signature}");
        }
    }
}

#[test]
fn a_secret_may_come_without_its_prefix_or_padding() {
    let [[secret, .., good], [other, .., wrong]] = VECTORS;
    let bare = secret.strip_prefix("whsec_").unwrap();
    for form in [secret.to_owned(), format!("v1,{secret}"), bare.to_owned(), format!("v1,{bare}")] {
        assert_eq!(verdict(&form, good, 0), None, "{form}");
        assert_eq!(verdict(&form, wrong, 0), Some(Kind::InvalidSignature), "{form}");
    }
    // 25 bytes, which base64 ends with two padding characters.
    let key = b"a secret of 25 characters";
    let [_, id, timestamp, body, _] = VECTORS[0];
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(format!("{id}.{timestamp}.{body}")).finalize();
    let (padded, signature) = (BASE64.encode(key), BASE64.encode(mac.into_bytes()));
    assert!(padded.ends_with("==") && signature.ends_with('='));
    for form in [padded.as_str(), padded.trim_end_matches('='), &format!("v1,whsec_{}", padded.trim_end_matches('='))] {
        for signature in [signature.as_str(), signature.trim_end_matches('=')] {
            assert_eq!(verdict(form, &format!("v1,{signature}"), 0), None, "{form} {signature}");
        }
    }
    assert!(!WebhookSecrets::parse(other).unwrap().is_empty());
}

#[test]
fn several_secrets_may_come_as_a_json_array() {
    let ([secret, .., good], [other, ..], [public, private, _]) = (VECTORS[0], VECTORS[1], ASYMMETRIC);
    for list in [
        format!(r#"["v1,{other}", "v1,{secret}"]"#),
        format!(r#" ["{secret}","v1a,{public}",""] "#),
        format!("[\n  \"{secret}\"\n]"),
    ] {
        assert_eq!(verdict(&list, good, 0), None, "{list}");
    }
    assert_eq!(verdict(&format!(r#"["v1,{other}"]"#), good, 0), Some(Kind::InvalidSignature));
    for no_list in
        ["[", "[1]", "[null]", r#"["x""#, r#"[["x"]]"#, &format!("[{secret}]"), &format!(r#"["{secret}"]|x"#)]
    {
        assert!(matches!(WebhookSecrets::parse(no_list), Err(SecretError::List)), "{no_list}");
    }
    let second = WebhookSecrets::parse(&format!(r#"["{secret}", "{private}"]"#));
    assert!(matches!(second, Err(SecretError::PrivateKey { position: 2 })));
    assert!(matches!(WebhookSecrets::parse(r#"["whsec_"]"#), Err(SecretError::Short { position: 1, bytes: 0 })));
}

#[test]
fn secrets_that_anybody_could_guess_are_refused() {
    assert!(matches!(WebhookSecrets::parse("v1,whsec_"), Err(SecretError::Short { position: 1, bytes: 0 })));
    assert!(matches!(
        WebhookSecrets::parse("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ=="),
        Err(SecretError::Short { bytes: 22, .. })
    ));
    assert!(matches!(WebhookSecrets::parse("whsec_***"), Err(SecretError::Base64 { position: 1 })));
}

/// The published vector of `v1a`: public key, private key, signature; id, time and body are those of the second above.
const ASYMMETRIC: [&str; 3] = [
    "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
];

fn asymmetric_verdict(secrets: &str, signature: &str, body: &str) -> Option<Kind> {
    let [_, id, timestamp, ..] = VECTORS[1];
    let headers = headers("webhook-", id, timestamp, signature);
    let secrets = WebhookSecrets::parse(secrets).unwrap();
    secrets.verify(&headers, body.as_bytes(), at(timestamp, 0)).err().map(|problem| problem.kind())
}

#[test]
fn the_published_asymmetric_vector_verifies() {
    let ([public, _, good], [shared, .., body, by_shared]) = (ASYMMETRIC, VECTORS[1]);
    for secrets in [public.to_owned(), format!("v1a,{public}"), format!("v1,{shared}|v1a,{public}")] {
        for list in [good.to_owned(), format!("v1,AAAA {good}"), format!("{good}, v1a,AAAA")] {
            assert_eq!(asymmetric_verdict(&secrets, &list, body), None, "{secrets} {list}");
        }
        assert_eq!(asymmetric_verdict(&secrets, good, "{}"), Some(Kind::InvalidSignature));
    }
    // Each side of a move from one to the other.
    let both = format!("{shared}|{public}");
    assert_eq!(asymmetric_verdict(&both, by_shared, body), None);
    assert_eq!(asymmetric_verdict(public, by_shared, body), Some(Kind::InvalidSignature));
    assert_eq!(asymmetric_verdict(shared, good, body), Some(Kind::InvalidSignature));
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // Whoever knows it, everybody that is, could sign `v1` with its bytes.
    let [_, id, timestamp, body, _] = VECTORS[1];
    let public = ASYMMETRIC[0].strip_prefix("whpk_").unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&BASE64.decode(public).unwrap())
        .unwrap()
        .chain_update(format!("{id}.{timestamp}.{body}"))
        .finalize();
    let bytes = BASE64.encode(mac.into_bytes());
    for signature in [format!("v1,{bytes}"), format!("v1a,{bytes}"), format!("v1a,{bytes}{bytes}")] {
        assert_eq!(asymmetric_verdict(ASYMMETRIC[0], &signature, body), Some(Kind::InvalidSignature), "{signature}");
    }
}

#[test]
fn half_a_signature_or_none_does_not_match_a_public_key() {
    let ([public, _, good], body) = (ASYMMETRIC, VECTORS[1][3]);
    let relabelled = good.replacen("v1a,", "v1,", 1);
    for bad in ["", "v1a,", "v1a", &good[..12], &good[4..], &relabelled, &good.replacen("v1a,h", "v1a,i", 1)] {
        assert_eq!(asymmetric_verdict(public, bad, body), Some(Kind::InvalidSignature), "{bad}");
    }
}

#[test]
fn keys_that_are_no_public_keys_are_refused() {
    let [public, private, _] = ASYMMETRIC;
    for text in [private.to_owned(), format!("v1a,{private}"), format!("v1a,{public}:{private}")] {
        let error = WebhookSecrets::parse(&format!("{public}|{text}")).err();
        assert!(matches!(error, Some(SecretError::PrivateKey { position: 2 })), "{text}");
    }
    let bare = public.strip_prefix("whpk_").unwrap();
    for text in [
        "whpk_".to_owned(),
        "v1a,whpk_***".to_owned(),
        format!("v1a,{bare}"),
        format!("v1a,whsec_{bare}"),
        "whpk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ==".to_owned(),
        // The neutral point: everything is its signature. And no point at all.
        format!("whpk_{}", BASE64.encode([[1].as_slice(), &[0; 31]].concat())),
        format!("whpk_{}", BASE64.encode([[2].as_slice(), &[0; 31]].concat())),
    ] {
        let error = WebhookSecrets::parse(&text).err();
        assert!(matches!(error, Some(SecretError::PublicKey { position: 1 })), "{text}");
    }
    assert!(matches!(WebhookSecrets::parse(&format!("v1,{public}")), Err(SecretError::Base64 { position: 1 })));
}
