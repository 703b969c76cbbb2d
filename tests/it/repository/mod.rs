//! Rules that hold for the repository itself.

mod currencies;
mod documents;
mod statements;
mod tidy;
mod worlds;
