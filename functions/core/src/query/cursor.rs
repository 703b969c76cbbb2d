//! Cursors: where a page of groups ended, and of which query.

use super::invalid;
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The longest cursor, bytes: three dimensions of the longest values, written as JSON and in base64.
pub(super) const MAX_BYTES: usize = 8 * 1024;
/// Of the hash of the query; a cursor of another one is told from it by these.
const HASH_BYTES: usize = 12;

/// Where a page ended: the value that groups are ordered by, and the group, as `api.query_metrics` wrote it.
#[derive(Debug, Deserialize, Serialize)]
struct Cursor<'a> {
    #[serde(borrow)]
    query: &'a str,
    #[serde(borrow)]
    after: &'a RawValue,
}

/// What a cursor carries of its query, so that it is not used with another.
pub(super) fn hash(query: &str) -> String {
    let digest = Sha256::digest(query);
    URL_SAFE_NO_PAD.encode(digest.get(..HASH_BYTES).unwrap_or_default())
}

/// A cursor as the client gets it.
pub(super) fn write(hash: &str, after: &RawValue) -> String {
    let json = serde_json::to_string(&Cursor { query: hash, after }).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// What a cursor says, if it is one of this query.
pub(super) fn read(text: &str, hash: &str, dimensions: usize) -> Result<Box<RawValue>, Problem> {
    let no_cursor = || invalid("`cursor` is the `next_cursor` of the page before, with the same query.");
    if text.len() > MAX_BYTES {
        return Err(no_cursor());
    }
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| no_cursor())?;
    let cursor: Cursor<'_> = serde_json::from_slice(&json).map_err(|_| no_cursor())?;
    if cursor.query != hash || !is_place(cursor.after, dimensions) {
        return Err(no_cursor());
    }
    Ok(cursor.after.to_owned())
}

/// Whether it is a decimal or null, and a group of so many dimensions.
fn is_place(after: &RawValue, dimensions: usize) -> bool {
    let Ok((value, group)) = serde_json::from_str::<(Option<String>, Vec<Value>)>(after.get()) else { return false };
    let is_decimal = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.ends_with(|last: char| last.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.matches('.').count() <= 1
    };
    value.as_deref().is_none_or(is_decimal)
        && group.len() == dimensions
        && group.iter().all(|value| match value {
            Value::String(text) => !text.contains('\0'),
            Value::Array(_) | Value::Object(_) => false,
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for after in [r#"["-12.50",["web",null]]"#, r#"[null,[1.50,true]]"#] {
            let written = write("hash", &raw(after));
            assert_eq!(read(&written, "hash", 2).unwrap().get(), after);
            assert!(read(&written, "other", 2).is_err());
            assert!(read(&written, "hash", 1).is_err());
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let forged = [
            r#"["1e9",[1]]"#,
            r#"["1'",[1]]"#,
            r#"[1,[1]]"#,
            r#"["1",[[1]]]"#,
            r#"["1"]"#,
            r#"["1",["\u0000"]]"#,
            "{}",
        ]
        .map(|after| write("hash", &raw(after)));
        for text in forged.iter().map(String::as_str).chain(["", "x", "e30", &"A".repeat(MAX_BYTES + 1)]) {
            assert!(read(text, "hash", 1).is_err(), "{text}");
        }
    }
}
