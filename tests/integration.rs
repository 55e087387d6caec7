//! One binary for all integration tests: the program against real git, real servers and a
//! stand-in town. Each module is one promise.

#![allow(clippy::disallowed_methods, reason = "tests touch the real world")]

/// What people, scripts and agents type.
mod commands;
mod stand_in;
mod town;
