//! What the simulated fleet is like. Every number can be given on the command line as
//! `name=value`; times are in minutes there and in milliseconds inside.

/// A moment or a duration of virtual time, in milliseconds.
pub type Millis = i64;

pub const SECOND: Millis = 1000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;

#[derive(Clone, Debug)]
pub struct Parameters {
    pub seed: u64,
    pub containers: usize,
    pub agents: usize,
    pub hours: i64,
    /// Mean length of a container's busy spells, and of the idle gaps between them.
    pub busy: Millis,
    pub idle: Millis,
    /// Mean time between two pushes of an agent while its container is busy.
    pub between_pushes: Millis,
    /// All agents of a spell are dispatched within this, and push at once.
    pub dispatch: Millis,
    pub token_life: Millis,
    /// For how long the worker hands out one token.
    pub cached_for: Millis,
    /// Per container, on average.
    pub revocations_per_day: f64,
    /// As a share of pushes: beside them, so many go to repositories that refuse any token.
    pub refused_share: f64,
    /// Whether the worker drops a revoked token from its cache.
    pub worker_notices: bool,
    pub outages: usize,
    /// The others last equal parts of this: of four a quarter, a half and three quarters.
    pub longest_outage: Millis,
    /// When all containers restart, in hours from the beginning.
    pub restart: i64,
    /// It takes them up to this to come up.
    pub boot: Millis,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            seed: 7,
            containers: 10_000,
            agents: 16,
            hours: 24,
            busy: 2 * HOUR,
            idle: 4 * HOUR,
            between_pushes: 10 * MINUTE,
            dispatch: MINUTE,
            token_life: HOUR,
            cached_for: 30 * MINUTE,
            revocations_per_day: 1.0,
            refused_share: 0.05,
            worker_notices: true,
            outages: 4,
            longest_outage: 40 * MINUTE,
            restart: 12,
            boot: 10 * SECOND,
        }
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
            "seed" => self.seed = number(value)?,
            "containers" => self.containers = number(value)?,
            "agents" => self.agents = number(value)?,
            "hours" => self.hours = number(value)?,
            "busy" => self.busy = minutes(value)?,
            "idle" => self.idle = minutes(value)?,
            "between_pushes" => self.between_pushes = minutes(value)?,
            "dispatch" => self.dispatch = minutes(value)?,
            "token_life" => self.token_life = minutes(value)?,
            "cached_for" => self.cached_for = minutes(value)?,
            "revocations_per_day" => self.revocations_per_day = number(value)?,
            "refused_share" => self.refused_share = number(value)?,
            "worker_notices" => self.worker_notices = number(value)?,
            "outages" => self.outages = number(value)?,
            "longest_outage" => self.longest_outage = minutes(value)?,
            "restart" => self.restart = number(value)?,
            "boot" => self.boot = minutes(value)?,
            _ => return Err(format!("no such parameter: {name}")),
        }
        Ok(())
    }

    pub fn end(&self) -> Millis {
        self.hours * HOUR
    }

    pub fn restarts_at(&self) -> Millis {
        self.restart * HOUR
    }

    /// Names, values and units, as `set` takes them.
    pub fn table(&self) -> Vec<(&'static str, String, &'static str)> {
        let minutes = |time: Millis| (time as f64 / MINUTE as f64).to_string();
        vec![
            ("containers", self.containers.to_string(), "each with an installation of its own"),
            ("agents", self.agents.to_string(), "per container, all sharing its cache"),
            ("hours", self.hours.to_string(), "of virtual time"),
            ("busy", minutes(self.busy), "min, mean length of a container's busy spells"),
            ("idle", minutes(self.idle), "min, mean length of the gaps between them"),
            ("between_pushes", minutes(self.between_pushes), "min, mean, per busy agent"),
            ("dispatch", minutes(self.dispatch), "min, in which a spell's agents all first push"),
            ("token_life", minutes(self.token_life), "min"),
            ("cached_for", minutes(self.cached_for), "min, for which the worker repeats a token"),
            ("revocations_per_day", self.revocations_per_day.to_string(), "per container, mean"),
            (
                "refused_share",
                self.refused_share.to_string(),
                "of pushes, to repositories that refuse any token",
            ),
            ("worker_notices", self.worker_notices.to_string(), "that a token was revoked"),
            ("outages", self.outages.to_string(), "of the worker, for everybody at once"),
            (
                "longest_outage",
                minutes(self.longest_outage),
                "min; the others last equal parts of it",
            ),
            ("restart", self.restart.to_string(), "h, when all containers restart, caches lost"),
            ("boot", format!("{:.3}", self.boot as f64 / MINUTE as f64), "min, to come up again"),
            ("seed", self.seed.to_string(), "of all that is random"),
        ]
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("not a value: {value}"))
}

fn minutes(value: &str) -> Result<Millis, String> {
    let minutes: f64 = number(value)?;
    Ok((minutes * MINUTE as f64) as Millis)
}
