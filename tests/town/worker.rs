//! The stand-in worker: a real port, a record of every call, and the knobs that make it slow, dead
//! or a liar while it runs. Owns the wire; what an honest answer says is the contract's affair.

use std::io;
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::contract::{Contract, Route};
use super::http::{Exchange, PATIENCE};
use super::registry::Registry;
use super::script::{CallKind, Override, Plan, Script};
use super::server::Server;
use super::token_service::TokenService;
use super::{Options, hash, lock};

/// A call that arrived.
#[derive(Clone, Debug)]
pub struct Call {
    pub kind: CallKind,
    /// `None` while it is being answered, and for an answer that was no HTTP.
    pub status: Option<u16>,
    /// The hash of the bearer token, if there was one.
    pub bearer: Option<String>,
}

pub struct Worker {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    contract: Contract,
    plan: Plan,
    delay: Mutex<Duration>,
    held: Mutex<bool>,
    released: Condvar,
    calls: Mutex<Vec<Arc<Mutex<Call>>>>,
}

impl Worker {
    pub(super) fn start(clock: &Clock, registry: &Arc<Registry>, options: Options) -> Self {
        let tokens = TokenService::new(clock.clone(), Arc::clone(registry), &options);
        let contract = Contract::new(clock.clone(), tokens, options.expiry);
        let shared = Arc::new(Shared {
            contract,
            plan: Plan::default(),
            delay: Mutex::default(),
            held: Mutex::default(),
            released: Condvar::default(),
            calls: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        // A caller that hangs up early is the caller's business.
        let server = Server::start(move |stream| drop(serving.serve(stream)));
        Self { shared, server }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Connections are refused from here on; those that were accepted are served to their end.
    pub fn go_down(&self) {
        self.server.close();
    }

    /// Back on the same port.
    pub fn come_up(&self) {
        self.server.open();
    }

    /// Every answer comes this much later.
    pub fn set_delay(&self, delay: Duration) {
        *lock(&self.shared.delay) = delay;
    }

    /// Calls are taken, but wait for their answers until `release`: a barrier in place of a sleep.
    pub fn hold(&self) {
        *lock(&self.shared.held) = true;
    }

    pub fn release(&self) {
        *lock(&self.shared.held) = false;
        self.shared.released.notify_all();
    }

    /// Makes the worker say something else than the truth: `Script::Silence`,
    /// `Script::Reset.next(2)`, `Script::error(500, "…").only(CallKind::ContainerToken)`.
    pub fn answer_with(&self, script: impl Into<Override>) {
        self.shared.plan.add(script.into());
    }

    /// Ends every script.
    pub fn answer_honestly(&self) {
        self.shared.plan.clear();
    }
}

/// What it hands out, and the knobs for that.
impl Deref for Worker {
    type Target = Contract;

    fn deref(&self) -> &Contract {
        &self.shared.contract
    }
}

/// Records.
impl Worker {
    /// In order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).iter().map(|call| lock(call).clone()).collect()
    }

    pub fn git_token_calls(&self) -> usize {
        self.calls().iter().filter(|call| call.kind == CallKind::GitToken).count()
    }

    pub fn container_token_calls(&self) -> usize {
        self.calls().iter().filter(|call| call.kind == CallKind::ContainerToken).count()
    }

    /// Waits until that many calls for a git token have arrived, answered or not.
    #[track_caller]
    pub fn await_git_token_calls(&self, count: usize) {
        self.await_calls(count, || self.git_token_calls());
    }

    /// Waits until that many calls have been answered.
    #[track_caller]
    pub fn await_answers(&self, count: usize) {
        self.await_calls(count, || self.calls().iter().filter(|it| it.status.is_some()).count());
    }

    #[track_caller]
    fn await_calls(&self, count: usize, arrived: impl Fn() -> usize) {
        let deadline = Instant::now() + PATIENCE;
        while arrived() < count {
            assert!(Instant::now() < deadline, "{count} calls expected, got {:?}", self.calls());
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn forget_calls(&self) {
        lock(&self.shared.calls).clear();
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut exchange = Exchange::read_head(stream)?;
        exchange.body()?;
        let route = Route::of(&exchange.method, &exchange.target);
        let kind = route.kind;
        let script = self.plan.take(kind);
        let bearer = exchange.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
        // On record once the whole request is here, so that a caller may be stopped from now on;
        // and before anything is said, as it may not live to hear it.
        let call = self.arrived(kind, bearer);
        self.take_time();
        let answer = match script {
            None => self.contract.answer(&route, bearer),
            Some(Script::Answer(answer)) => answer,
            Some(script) => return script.perform(exchange.into_stream()?),
        };
        lock(&call).status = Some(answer.status);
        exchange.answer(&answer.header("Date", &self.contract.date()))
    }

    fn arrived(&self, kind: CallKind, bearer: Option<&str>) -> Arc<Mutex<Call>> {
        let call = Arc::new(Mutex::new(Call { kind, status: None, bearer: bearer.map(hash) }));
        lock(&self.calls).push(Arc::clone(&call));
        call
    }

    fn take_time(&self) {
        let delay = *lock(&self.delay);
        thread::sleep(delay);
        let held = self.released.wait_while(lock(&self.held), |held| *held);
        drop(held.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Worker {
    /// Nobody would ever release those who still wait.
    fn drop(&mut self) {
        self.release();
    }
}
