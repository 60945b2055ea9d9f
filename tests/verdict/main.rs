//! Compares the product's verdict with a second, simple implementation of the rules: on every combination
//! in a lattice of facts, and on random facts.

mod comparison;
mod example;
mod generator;
mod lattice;
mod random;
mod source;
mod specification;
mod themes;
