//! A value, and where it came from or what is wrong with it. Messages tell both.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Directory,
    Environment(&'static str),
    File(&'static str),
}

impl Origin {
    /// The flag, variable or key.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Flag(name) | Self::Environment(name) | Self::File(name) => name,
            Self::Directory => "the working directory",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(_) | Self::Directory | Self::Environment(_) => {
                formatter.write_str(self.name())
            }
            Self::File(key) => write!(formatter, "`{key}` in the config file"),
        }
    }
}

/// A value, or why there is none: `unset`, or what is wrong with it.
#[derive(Clone, Debug)]
pub(crate) enum Setting<T> {
    Set { value: T, origin: Origin },
    Unset,
    Wrong { origin: Origin, why: String },
}

impl<T> Setting<T> {
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Set { value, .. } => Some(value),
            _ => None,
        }
    }

    pub(super) fn parse<U>(self, parse: impl FnOnce(T) -> Result<U, String>) -> Setting<U> {
        match self {
            Self::Set { value, origin } => match parse(value) {
                Ok(value) => Setting::Set { value, origin },
                Err(why) => Setting::Wrong { origin, why },
            },
            Self::Unset => Setting::Unset,
            Self::Wrong { origin, why } => Setting::Wrong { origin, why },
        }
    }
}

impl<T: fmt::Display> fmt::Display for Setting<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { value, origin } => write!(formatter, "{value} (from {origin})"),
            Self::Unset => formatter.write_str("unset"),
            Self::Wrong { origin, why } => write!(formatter, "{origin} is {why}"),
        }
    }
}
