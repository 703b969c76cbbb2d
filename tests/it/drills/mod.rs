//! What happens when something breaks: each failure is told clearly, in bounded time, and nothing is half done.

mod connections;
mod crash;
mod database;
mod deadlock;
mod hooks;
mod log;
mod lost_answer;
mod saturation;
mod slow_client;
mod variables;
mod workload;
