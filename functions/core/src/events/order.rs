//! Events in the order that the database inserts them in, as far as it can be told here.

use super::columns::Columns;
use super::reading::Place;

/// The events of a batch by their ids, with where they stand. Of those of one id the first stays the first.
///
/// The database sorts them whatever it is sent, but what is in order it only goes through, and here they are compared several
/// times as fast. It sorts by store and source before. Only the database knows whether two names are one store, so a batch that
/// has several stays as it is: of the same event under both names, too, the first is to stay the first.
pub(super) fn by_id(columns: Columns, rows: Vec<Place>) -> (Columns, Vec<Place>) {
    let ids: Vec<&str> = columns.ids.iter().collect();
    if !columns.series.are_of_one_sender() || ids.is_sorted() {
        return (columns, rows);
    }
    let mut order: Vec<_> = ids.iter().enumerate().map(|(at, id)| (head(id), *id, at)).collect();
    order.sort_unstable();

    let values: Vec<&str> = columns.values.iter().collect();
    let order = || order.iter().map(|(_, _, at)| *at);
    let sorted = Columns {
        numbers: order().map(|at| columns.numbers[at]).collect(),
        ids: order().map(|at| ids[at]).collect(),
        values: order().map(|at| values[at]).collect(),
        recorded_at: order().map(|at| columns.recorded_at[at]).collect(),
        series: columns.series,
    };
    (sorted, order().map(|at| rows[at].clone()).collect())
}

/// The first bytes as a number, which mostly tells two texts apart at once. No id has a zero.
fn head(text: &str) -> u64 {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(head)
}
