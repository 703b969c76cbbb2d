//! Puts what was measured into words: a section of Markdown, which replaces the one between the markers of a document.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::rounds::Series;
use crate::statistics::Summary;

/// A table of Markdown.
#[derive(Debug)]
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        let rule: Vec<&str> =
            head.iter().enumerate().map(|(index, _)| if index == 0 { "---" } else { "---:" }).collect();
        let mut table = Self(String::new());
        table.row(head);
        table.row(&rule);
        table
    }

    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        self.0.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// `0.62 (0.55 to 0.70)`.
pub(crate) fn ratio(summary: Option<Summary>) -> String {
    summary.map_or_else(
        || "–".to_owned(),
        |Summary { median, least, greatest }| format!("{median:.2} ({least:.2} to {greatest:.2})"),
    )
}

/// `12,300 (11,000 to 13,000)`.
pub(crate) fn rate(summary: Option<Summary>) -> String {
    summary.map_or_else(
        || "–".to_owned(),
        |Summary { median, least, greatest }| {
            format!("{} ({} to {})", grouped(median), grouped(least), grouped(greatest))
        },
    )
}

/// `1.80`: a ratio that was not measured round by round.
pub(crate) fn plain_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// `1 client`, `4 clients`.
pub(crate) fn clients(number: usize) -> String {
    if number == 1 { "1 client".to_owned() } else { format!("{number} clients") }
}

/// Whole, with commas between the thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where the processor time of a row went, for each contestant.
pub(crate) fn shares(series: &Series) -> String {
    let mut table = Table::new(&["µs of processor time a row", "Postgres", "host", "generator", "processors busy"]);
    for (index, name) in series.names.iter().enumerate() {
        match series.share(index) {
            Some(share) => {
                let part = |micros: f64| format!("{micros:.1} ({:.0} %)", 100.0 * micros / share.row.total());
                let row = share.row;
                let busy = format!("{:.2}", share.busy);
                table.row(&[name, &part(row.postgres), &part(row.host), &part(row.generator), &busy]);
            }
            None => table.row(&[name.as_str(), "not told by this system", "", "", ""]),
        }
    }
    table.into_text()
}

/// Puts the section between the markers of a document that a command has there.
pub(crate) fn write(file: &Path, command: &str, section: &str) -> Result<()> {
    let page = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let page = replace(&page, command, section).with_context(|| {
        let [begin, end] = markers(command);
        format!("{} lacks the markers {begin} and {end}", file.display())
    })?;
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}

fn markers(command: &str) -> [String; 2] {
    ["begin", "end"].map(|word| format!("<!-- {word}: written by cargo {command} -->"))
}

fn replace(page: &str, command: &str, section: &str) -> Option<String> {
    let [begin, end] = markers(command);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let [begin, end] = markers("bench-queries");
        let page = format!("# Title\n\n{begin}\nold\n{end}\n\nMore.\n");
        let new = replace(&page, "bench-queries", "\nnew\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{begin}\n\nnew\n\n{end}\n\nMore.\n"));
        assert_eq!(replace(&new, "bench-queries", "new").unwrap(), new);
        assert_eq!(replace("# Title", "bench-queries", "new"), None);
        assert_eq!(replace(&page, "bench-ingest", "new"), None);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(12.0), "12");
        assert_eq!((clients(1).as_str(), clients(4).as_str()), ("1 client", "4 clients"));
        let summary = Summary { median: 0.625, least: 0.5, greatest: 1.0 };
        assert_eq!(ratio(Some(summary)), "0.62 (0.50 to 1.00)");
        assert_eq!(ratio(None), "–");
    }

    #[test]
    fn tables_are_markdown() {
        let mut table = Table::new(&["a", "b"]);
        table.row(&["1", "2"]);
        assert_eq!(table.into_text(), "| a | b |\n| --- | ---: |\n| 1 | 2 |\n");
    }
}
