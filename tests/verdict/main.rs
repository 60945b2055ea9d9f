//! Compares the product's verdict with a second, naive implementation of the rules: on every
//! combination of a lattice of facts, and on random facts.

mod comparison;
mod example;
mod generator;
mod lattice;
mod random;
mod specification;
