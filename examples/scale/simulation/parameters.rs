//! What the simulated fleet is like. Every number can be given on the command line as
//! `name=value`; times are in minutes there and in milliseconds inside.

use std::str::FromStr;

/// A moment or a duration of virtual time, in milliseconds.
pub type Millis = i64;

pub const SECOND: Millis = 1000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;

/// Each parameter once: its type, usual value, how it is read and shown, and what it means.
macro_rules! parameters {
    ($($name:ident: $type:ty = $usual:expr, $form:ident, $meaning:literal;)*) => {
        #[derive(Clone, Debug)]
        pub struct Parameters {
            $(#[doc = $meaning] pub $name: $type,)*
        }

        impl Default for Parameters {
            fn default() -> Self {
                Self { $($name: $usual,)* }
            }
        }

        impl Parameters {
            /// Takes one `name=value`.
            ///
            /// # Errors
            /// What is wrong with it.
            pub fn set(&mut self, argument: &str) -> Result<(), String> {
                let (name, value) = argument.split_once('=').ok_or("expected name=value")?;
                match name {
                    $(stringify!($name) => self.$name = $form::read(value).ok_or("not a value")?,)*
                    _ => return Err(format!("no such parameter: {name}")),
                }
                Ok(())
            }

            /// Rows of a table: names, values and meanings.
            pub fn rows(&self) -> String {
                [$((stringify!($name), $form::show(&self.$name), $meaning),)*]
                    .map(|(name, value, meaning)| format!("| `{name}` | {value} | {meaning} |\n"))
                    .concat()
            }
        }
    };
}

parameters! {
    containers: usize = 10_000, plain, "each with an installation of its own";
    agents: usize = 16, plain, "per container, all sharing its cache";
    hours: i64 = 24, plain, "of virtual time";
    busy: Millis = 2 * HOUR, minutes, "min, mean length of a container's busy spells";
    idle: Millis = 4 * HOUR, minutes, "min, mean length of the gaps between them";
    between_pushes: Millis = 10 * MINUTE, minutes, "min, mean, per busy agent";
    dispatch: Millis = MINUTE, minutes, "min, in which a spell's agents all first push";
    token_life: Millis = HOUR, minutes, "min";
    cached_for: Millis = 30 * MINUTE, minutes, "min, for which the worker repeats a token";
    revocations_per_day: f64 = 1.0, plain, "per container, mean";
    refused_share: f64 = 0.05, plain, "of pushes, to repositories that refuse any token";
    worker_notices: bool = true, plain, "that a token was revoked";
    outages: usize = 4, plain, "of the worker, for everybody at once";
    longest_outage: Millis = 40 * MINUTE, minutes, "min; the others last equal parts of it";
    restart: i64 = 12, plain, "h, when all containers restart, caches lost";
    boot: Millis = 10 * SECOND, minutes, "min, to come up again";
    seed: u64 = 7, plain, "of all that is random";
}

impl Parameters {
    pub fn end(&self) -> Millis {
        self.hours * HOUR
    }

    pub fn restarts_at(&self) -> Millis {
        self.restart * HOUR
    }
}

mod plain {
    pub fn read<T: super::FromStr>(value: &str) -> Option<T> {
        value.parse().ok()
    }

    pub fn show<T: ToString>(value: &T) -> String {
        value.to_string()
    }
}

mod minutes {
    use super::{MINUTE, Millis};

    pub fn read(value: &str) -> Option<Millis> {
        Some((value.parse::<f64>().ok()? * MINUTE as f64) as Millis)
    }

    /// To a thousandth.
    pub fn show(time: &Millis) -> String {
        ((*time as f64 * 1000.0 / MINUTE as f64).round() / 1000.0).to_string()
    }
}
