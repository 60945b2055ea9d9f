//! What an operator types: subcommands and the rotation of keys.

mod command_line;
mod key_rotation;
