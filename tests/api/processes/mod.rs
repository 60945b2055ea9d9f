//! The real program as a process: killed, stopped, and run twice on one database.

mod kills;
mod replicas;
mod starting;
mod stops;
