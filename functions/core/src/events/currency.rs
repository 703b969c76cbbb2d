//! Currencies.

use super::fault::{Fault, fault};

pub(super) fn currency(code: &str) -> Result<&str, Fault> {
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err(fault("invalid_currency", "`currency` is an ISO 4217 code of three capital letters, such as \"USD\"."))
    }
}
