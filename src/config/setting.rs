//! A value, and where it came from or what is wrong with it. Messages tell both.

use std::fmt;

/// Where a value came from: the flag, variable or key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    /// A flag in a helper line of ours in git's configuration.
    HelperLine(&'static str),
    Directory,
    Environment(&'static str),
    File(&'static str),
    /// The config file for all users of the machine.
    SystemFile(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Environment(name) => formatter.write_str(name),
            Self::HelperLine(flag) => write!(formatter, "{flag} in git's helper line"),
            Self::Directory => formatter.write_str("the working directory"),
            Self::File(key) => write!(formatter, "`{key}` in the config file"),
            Self::SystemFile(key) => write!(formatter, "`{key}` in {}", super::SYSTEM_CONFIG),
        }
    }
}

/// A value, or why there is none: `unset`, or what is wrong with it.
#[derive(Debug)]
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

    pub(crate) fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Set { origin, .. } | Self::Wrong { origin, .. } => Some(origin),
            Self::Unset => None,
        }
    }

    pub(crate) fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }

    /// What is wrong with it.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Wrong { origin, why } => Some(format!("{origin} is {why}")),
            _ => None,
        }
    }

    /// The flag, if the wrong value stands in git's helper line.
    pub(super) fn wrong_flag(&self) -> Option<&'static str> {
        match self {
            Self::Wrong { origin: Origin::HelperLine(flag), .. } => Some(flag),
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
