//! The documentation says what the code does.

use std::fs;

use tally_core::problem::Kind;

use crate::harness::repository;

#[test]
fn every_problem_stands_in_the_documentation() {
    let page = fs::read_to_string(repository().join("docs/API.md")).unwrap();
    let documented: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("## Problems"))
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(documented.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let row = format!("| `{}` | {} |", kind.code(), kind.status());
        assert!(documented.iter().any(|line| line.starts_with(&row)), "{row} is missing in docs/API.md");
    }
}
