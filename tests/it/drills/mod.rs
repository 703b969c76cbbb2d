//! What happens when something breaks: each failure is told clearly, in bounded time, and nothing is half done.

mod database;
mod deadlock;
mod hooks;
mod log;
mod saturation;
mod slow_client;
mod variables;
