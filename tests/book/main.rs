//! The guide, and every other page: what stands in a code block is compiled, parsed, run or compared, and every link
//! points to something. A block in a language that nobody checks is an error, so that no page escapes.
//!
//! | block | who checks it |
//! | --- | --- |
//! | `rust` | a doctest: `src/guide.rs` has every page |
//! | `rust,ignore` under `<!-- part of: PATH -->` | it stands in that file, which is compiled and run: [`blocks`] |
//! | `toml` | the same, or it is a scenario, or a part of one, for the load suite: [`blocks`] |
//! | `sh` | a shell reads it, every command in it is known, those of ours are parsed and planned: [`shell`] |
//! | `console` | `tests/cli.rs` runs it and compares what it prints |
//! | `threshold` | `sim/hyperlapse/tests/thresholds/docs.rs` judges it |
//! | `text` | nobody; under `<!-- report: NAME -->` it is what is printed: [`first_test`], `tests/readme.rs` |
#![cfg(unix)]

mod blocks;
mod first_test;
mod links;
mod pages;
mod recipes;
mod shell;
mod shown;
