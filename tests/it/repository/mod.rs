//! Rules that hold for the repository itself.

mod currencies;
mod documents;
mod openapi;
mod statements;
mod tidy;
mod worlds;
