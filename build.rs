//! How a static release is linked. The functions that answer git lie together: fewer pages of the
//! file are mapped, which is a sixth of the time of a cached `get`. A function that the list no longer names
//! is only placed elsewhere. The tables for unwinding are left out, a seventh of the size: a panic
//! ends the process in its hook (`src/messages.rs`), so nothing is ever unwound. `panic = "abort"`
//! would do the same, but not every distribution's Rust for musl has the library that it needs.

#![expect(clippy::disallowed_methods, reason = "how cargo says what is built")]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=linker");
    let has = |name: &str, value: &str| {
        env::var(name).is_ok_and(|list| list.split(',').any(|entry| entry == value))
    };
    if has("CARGO_CFG_TARGET_OS", "linux")
        && has("CARGO_CFG_TARGET_FEATURE", "crt-static")
        && has("PROFILE", "release")
    {
        let directory = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        // Not by -Wl, which would cut a path at a comma.
        for script in ["no-unwinding", "hot-path"] {
            println!("cargo::rustc-link-arg-bins=-T{directory}/linker/{script}.ld");
        }
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}
