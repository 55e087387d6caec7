//! One binary for all integration tests: the program against real git, real servers and a
//! stand-in town. Each module is one promise.

#![allow(clippy::disallowed_methods, reason = "tests touch the real world")]

mod advice;
mod advisories;
mod asking;
mod cache;
mod cache_places;
mod client;
mod clients;
mod commands;
mod container_token;
mod doctor;
mod erasing;
mod expiry;
mod faults;
mod healing;
mod install;
mod leaks;
mod lfs;
mod libgit2;
mod long_lived;
mod memory;
mod network;
mod promises;
mod properties;
mod protocol;
mod pushing;
mod rejected;
mod rig;
mod scale;
mod scene;
mod scope;
mod settings;
mod setup;
mod static_tokens;
mod town;
mod trace;
mod transcript;
