//! Subcommands for operators, and key rotation.

mod command_line;
mod key_rotation;
mod projection;
