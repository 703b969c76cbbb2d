//! The spelling of names in a manifest: kebab-case component ids and lower snake-case variable names.

use anyhow::{Result, ensure};

/// Checks a component id: words of one case, each beginning with a letter, joined by `-`.
pub(super) fn check_component_id(id: &str) -> Result<()> {
    check_words(id, '-')
}

/// Checks a variable name: lower-case words, each beginning with a letter, joined by `_`.
pub(super) fn check_variable_name(name: &str) -> Result<()> {
    ensure!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name:?} must be all lower-case");
    check_words(name, '_')
}

fn check_words(name: &str, separator: char) -> Result<()> {
    for word in name.split(separator) {
        ensure!(
            word.starts_with(|first: char| first.is_ascii_alphabetic()),
            "each {separator:?}-separated word of {name:?} must begin with an ASCII letter"
        );
        ensure!(
            word.chars().all(|char| char.is_ascii_alphanumeric()),
            "{name:?} may hold only ASCII letters, digits and {separator:?}"
        );
        let has_lower = word.chars().any(|char| char.is_ascii_lowercase());
        let has_upper = word.chars().any(|char| char.is_ascii_uppercase());
        ensure!(!(has_lower && has_upper), "the word {word:?} of {name:?} mixes cases");
    }
    Ok(())
}
