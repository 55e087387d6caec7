//! The ways to come by a token that are compared, apart from this helper: today's and those that
//! were proposed. Each is done as well as it can be.

use super::parameters::{MINUTE, Millis};
use super::world::{Token, World};

/// What one container does for its tokens.
pub trait Way {
    /// The container has come up, with nothing left of what it knew.
    fn start(&mut self, world: &mut World<'_>);
    /// An agent was given a snapshot.
    fn dispatch(&mut self, _agent: usize, _snapshot: Option<Token>) {}
    /// When it wants to be woken.
    fn alarm(&self) -> Option<Millis> {
        None
    }
    fn ring(&mut self, _world: &mut World<'_>) {}
    /// What an agent's push presents.
    fn token(&mut self, world: &mut World<'_>, agent: usize) -> Option<Token>;
    /// The server accepted the last token.
    fn accepted(&mut self) {}
    /// The token was refused: what the same push presents next, if anything.
    fn refused(&mut self, _world: &mut World<'_>, _agent: usize) -> Option<Token> {
        None
    }
}

/// Each agent has the token of its dispatch, for good; or, when it retries, until it is refused:
/// then it asks the worker for itself, because agents share nothing.
pub struct Snapshot {
    pub agents: Vec<Option<Token>>,
    pub retries: bool,
}

impl Way for Snapshot {
    fn start(&mut self, _world: &mut World<'_>) {
        self.agents.fill(None);
    }

    fn dispatch(&mut self, agent: usize, snapshot: Option<Token>) {
        self.agents[agent] = snapshot;
    }

    fn token(&mut self, world: &mut World<'_>, agent: usize) -> Option<Token> {
        self.agents[agent].or_else(|| self.refused(world, agent))
    }

    fn refused(&mut self, world: &mut World<'_>, agent: usize) -> Option<Token> {
        let renewed = self.retries.then(|| world.call()).flatten();
        self.agents[agent] = renewed.or(self.agents[agent]);
        renewed
    }
}

/// A timer renews the container's one token, whether anybody needs it or not.
pub struct Timer {
    pub period: Millis,
    pub token: Option<Token>,
    pub rings_at: Option<Millis>,
}

/// A timer that met an outage tries again after this.
const TRY_AGAIN: Millis = MINUTE;

impl Way for Timer {
    fn start(&mut self, world: &mut World<'_>) {
        self.token = None;
        self.ring(world);
    }

    fn alarm(&self) -> Option<Millis> {
        self.rings_at
    }

    fn ring(&mut self, world: &mut World<'_>) {
        let renewed = world.call();
        let wait = if renewed.is_some() { self.period } else { TRY_AGAIN };
        self.token = renewed.or(self.token);
        self.rings_at = Some(world.now + wait);
    }

    fn token(&mut self, _world: &mut World<'_>, _agent: usize) -> Option<Token> {
        self.token
    }
}
