//! The database asked in its own language.

mod pgtap;
