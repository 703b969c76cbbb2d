//! Lists in pages.

use reqwest::Url;
use serde_json::Value;

use crate::answer::{Answer, ask};
use crate::harness::Bundle;

/// Asks for a list.
pub(super) async fn list(bundle: &Bundle, credential: &str, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let url = Url::parse_with_params(&bundle.url(path), parameters).unwrap();
    ask(bundle.client.get(url).bearer_auth(credential)).await
}

/// Goes through a list by its cursors, so many entries a page. Answers all entries, and the last page.
pub(super) async fn pages(
    bundle: &Bundle,
    credential: &str,
    path: &str,
    parameters: &[(&str, &str)],
    limit: usize,
) -> (Vec<Value>, Value) {
    let (limit_text, mut cursor, mut entries) = (limit.to_string(), None::<String>, Vec::new());
    loop {
        let mut all = [parameters, &[("limit", limit_text.as_str())]].concat();
        all.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = list(bundle, credential, path, &all).await.ok();
        let fields = page.as_object().unwrap();
        let found = fields.values().find_map(Value::as_array).unwrap();
        entries.extend(found.iter().cloned());
        cursor = fields["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            assert!(found.len() <= limit, "{} entries", found.len());
            return (entries, page);
        }
        assert_eq!(found.len(), limit, "only the last page is not full");
    }
}
