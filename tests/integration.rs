//! One binary for all integration tests: the program against real git, real servers and a
//! stand-in town. Each module is one promise.

#![allow(clippy::disallowed_methods, reason = "tests touch the real world")]

/// Attacks that others fell for get nothing.
mod advisories;
/// No secret is ever out of its place.
mod leaks;
/// The process keeps its memory to itself.
mod memory;
/// What holds for any input.
mod properties;
mod stand_in;
mod town;
