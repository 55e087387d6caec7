//! One binary for all integration tests: the program against real git, real servers and a
//! stand-in town. Each module is one promise.

#![allow(clippy::disallowed_methods, reason = "tests touch the real world")]

/// Every error says what to do, and doing that helps.
mod advice;
/// Attacks that others fell for get nothing.
mod advisories;
/// No ask gets a dead token, and few asks reach the worker.
mod asking;
/// What the cache keeps, for whom, and what it takes for a miss.
mod cache;
/// Where the cache is, and what is swept out of it.
mod cache_places;
/// A client that keeps state, without git.
mod client;
/// Real clients other than git, fetched or built once.
mod clients;
/// What people, scripts and agents type.
mod commands;
/// An agent whose container token ran out hours ago still pushes.
mod container_token;
/// Every broken link is found, and the advice mends it.
mod doctor;
/// `erase` compares before it forgets.
mod erasing;
/// What git is told of a token's end.
mod expiry;
/// Every fault ends in a token or in one clear message.
mod faults;
/// A token that dies before its time costs one more round trip.
mod healing;
/// What `install.sh` builds, on which machine.
mod install;
/// Each secret is where it belongs, and nowhere else.
mod leaks;
/// git-lfs heals within one command, and never asks without end.
mod lfs;
/// Clients that are not git heal at the second try.
mod libgit2;
/// Programs that outlive a token have a live one in each call.
mod long_lived;
/// No secret stays behind in memory that is given back.
mod memory;
/// Where a container token may travel, and what may come back.
mod network;
/// Documents name what exists, and `install.sh` removes what it installs.
mod paper;
/// Each promise of the documents names a test that exists.
mod promises;
/// What holds for every input.
mod properties;
/// git's credential protocol, byte for byte.
mod protocol;
/// Whenever an agent's git asks, it gets a token that works.
mod pushing;
/// A refusal by a git host takes nothing from anybody else.
mod rejected;
/// Whose token it is, and never another rig's.
mod rig;
/// A fleet in virtual time, beside the other ways.
mod scale;
/// An agent in a town, with which most tests begin.
mod scene;
/// A token reaches the hosts that are listed, and no other.
mod scope;
/// Flags before environment before config file before defaults.
mod settings;
/// git is told of the helper, and told back to the byte.
mod setup;
/// The stand-in town is what the contract says.
mod stand_in;
/// Tokens that a person has set, first or as the last resort.
mod static_tokens;
mod town;
/// The trace tells each decision, and nothing ever shows a secret.
mod trace;
/// What the program has to say, as methods of what ran.
mod transcript;
