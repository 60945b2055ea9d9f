//! The real program as a process: killed, told to stop, and run twice on one database.

mod kills;
mod replicas;
mod starting;
mod stops;
