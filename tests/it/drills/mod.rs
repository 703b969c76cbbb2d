//! What happens when something breaks: each failure is told clearly, in bounded time, and nothing is half done.

mod database;
mod hooks;
mod log;
mod lost_answer;
mod slow_client;
mod variables;
