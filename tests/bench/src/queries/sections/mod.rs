//! What is measured, a module each.

pub(crate) mod charts;
pub(crate) mod dashboard;
pub(crate) mod service;
pub(crate) mod sizes;

use crate::queries::place::Place;
use crate::report::grouped;

/// `a store of 20,000 events`.
fn name(place: &Place<'_>) -> String {
    format!("a store of {} events", grouped(place.events as f64))
}
