//! Rules that hold for the repository itself.

mod documents;
mod statements;
mod tidy;
mod worlds;
