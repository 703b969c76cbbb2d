//! One-line progress on stderr: stdout is for what other programs read.

/// Tells what is being done, in one line.
#[expect(clippy::print_stderr, reason = "the one place that tells of progress")]
pub fn say(line: impl AsRef<str>) {
    eprintln!("tally: {}", line.as_ref());
}
