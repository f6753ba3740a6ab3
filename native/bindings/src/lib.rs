//! `tokenkit._native`: Arrow columns, the key registry and the Polars plugin over `tokenkit_algorithms`.

mod audit;
mod column;
mod failure;
mod json_lines;
mod kernel;
mod keys;
mod plugin;
mod proof;
mod python;
mod rejects;
mod rows;
mod spec;
