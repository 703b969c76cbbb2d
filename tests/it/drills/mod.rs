//! What happens when something breaks: each failure is told clearly, in bounded time, and nothing is half done.

mod crash;
mod database;
mod hooks;
mod log;
mod lost_answer;
mod slow_client;
mod variables;
mod workload;
