//! What the tests share: the world of one test, the program as a process, the search for secrets.

pub mod canary_search;
pub mod process;
pub mod world;
