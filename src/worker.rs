//! The network: calls to the worker, each within a given time, and nothing else. Refuses redirects,
//! plain http beyond loopback, proxies for loopback, and answers over 64 KiB.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git_credential_gastown::contract::Reply;
use git_credential_gastown::failure::{Failure, Name, Retry, Scope};
use git_credential_gastown::host::{ApiUrl, bypasses_proxy};
use git_credential_gastown::token::Secret;
use rustls::crypto::ring::default_provider;
use rustls_native_certs::load_certs_from_paths;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Error, Proxy, ProxyProtocol, Timeout};
use zeroize::Zeroizing;

use crate::config::{Certificates, Settings};
use crate::resolver::Resolver;

const LONGEST_ANSWER: u64 = 64 * 1024;
/// After this the connection is given up, so that there is time for a second attempt.
const LONGEST_CONNECT: Duration = Duration::from_secs(4);

pub(crate) struct Worker<'a> {
    agent: Agent,
    api: &'a ApiUrl,
    /// Then a failed connection is the proxy's, not the worker's.
    is_proxied: bool,
}

impl<'a> Worker<'a> {
    /// Fails if the proxy's address or the certificates cannot be used.
    pub(crate) fn new(api: &'a ApiUrl, settings: &Settings) -> Result<Self, Failure> {
        let proxy = proxy_for(api, settings)?;
        let is_proxied = proxy.is_some();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent(concat!("git-credential-gastown/", env!("CARGO_PKG_VERSION")));
        if api.is_https() {
            let tls = TlsConfig::builder().root_certs(roots(api, &settings.certificates)?);
            let tls = tls.unversioned_rustls_crypto_provider(Arc::new(default_provider()));
            config = config.tls_config(tls.build());
        }
        let agent = Agent::with_parts(config.build(), DefaultConnector::default(), Resolver);
        Ok(Self { agent, api, is_proxied })
    }

    /// Makes one call about a town. An answer that says no is an answer, too.
    pub(crate) fn post(
        &self,
        path: &str,
        bearer: &Secret,
        within: Duration,
    ) -> Result<Reply, Failure> {
        // Others may take another way, or trust another authority.
        let failed = |error| self.failure(&error, within).of(Scope::Network);
        let mut response = self
            .agent
            .post(format!("{}/api/towns/{path}", self.api))
            .config()
            .timeout_global(Some(within))
            .timeout_resolve(Some(within.min(LONGEST_CONNECT)))
            .timeout_connect(Some(within.min(LONGEST_CONNECT)))
            .build()
            .header("authorization", format!("Bearer {}", bearer.expose()))
            .header("accept", "application/json")
            .content_type("application/json")
            .send("{}")
            .map_err(failed)?;
        let header = |name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let mut reply = Reply {
            status: response.status().as_u16(),
            date: header("date"),
            retry_after: header("retry-after"),
            location: header("location"),
            body: Zeroizing::default(),
        };
        // One byte more, because ureq rejects a body that is exactly as long as its limit.
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER + 1);
        match body.read_to_vec() {
            Ok(body) => reply.body = Zeroizing::new(body),
            // The status of a denial says enough, whatever page comes with it.
            Err(_) if reply.status != 200 => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(reply)
    }

    fn failure(&self, error: &Error, within: Duration) -> Failure {
        let worker = self.api;
        match error {
            Error::Timeout(phase) => Failure::new(
                Name::Timeout,
                Retry::AtOnce,
                format!(
                    "the worker at {worker} did not answer within {} s (timed out {})",
                    within.as_secs_f32().round(),
                    phase_name(*phase)
                ),
                "check the network to GASTOWN_API_URL, then run the command again",
            ),
            Error::Rustls(_) | Error::Tls(_) => self.untrusted(error),
            Error::BodyExceedsLimit(_) => Failure::new(
                Name::BadAnswer,
                Retry::Later,
                format!("the worker at {worker} answered with more than {LONGEST_ANSWER} bytes"),
                "check that GASTOWN_API_URL is a Gastown worker",
            ),
            // How rustls reports a certificate that it does not trust, and what is no TLS at all.
            Error::Io(cause) if cause.kind() == ErrorKind::InvalidData && worker.is_https() => {
                match cause.to_string().contains("corrupt message") {
                    false => self.untrusted(cause),
                    true if self.is_proxied => proxy_failed(worker),
                    true => Failure::new(
                        Name::WorkerUnreachable,
                        Retry::Later,
                        format!("the worker at {worker} does not speak https: {cause}"),
                        "check the scheme and the port in GASTOWN_API_URL",
                    ),
                }
            }
            Error::ConnectProxyFailed(_)
            | Error::HostNotFound
            | Error::Io(_)
            | Error::Other(_)
            | Error::Protocol(_)
                if self.is_proxied =>
            {
                proxy_failed(worker)
            }
            Error::HostNotFound => Failure::new(
                Name::WorkerUnreachable,
                Retry::AtOnce,
                format!("the worker's host in {worker} was not found"),
                "check GASTOWN_API_URL and name resolution",
            ),
            // Why the name could not be resolved.
            Error::Other(cause) => Failure::new(
                Name::WorkerUnreachable,
                Retry::AtOnce,
                format!("the worker's host in {worker} cannot be looked up: {cause}"),
                "check /etc/resolv.conf and the network, then run the command again",
            ),
            Error::Io(cause) if cause.kind() == ErrorKind::ConnectionRefused => Failure::new(
                Name::WorkerUnreachable,
                Retry::AtOnce,
                format!("the worker at {worker} refused the connection"),
                "check GASTOWN_API_URL and whether the worker runs, then run the command again",
            ),
            other => {
                let why = other.to_string();
                // rustls adds a link into its manual.
                let why = why.split(": https://docs.rs/").next().unwrap_or_default();
                Failure::new(
                    Name::WorkerUnreachable,
                    Retry::AtOnce,
                    format!("the worker at {worker} gave no answer: {why}"),
                    "check GASTOWN_API_URL and the network, then run the command again",
                )
            }
        }
    }

    fn untrusted(&self, cause: &dyn std::fmt::Display) -> Failure {
        let what = format!("no trusted connection to the worker at {}: {cause}", self.api);
        let advice = "check its certificate; SSL_CERT_FILE may name the authorities to trust";
        Failure::new(Name::WorkerUnreachable, Retry::Later, what, advice)
    }
}

fn proxy_for(api: &ApiUrl, settings: &Settings) -> Result<Option<Proxy>, Failure> {
    let direct = !api.is_https()
        || api.is_loopback()
        || settings.no_proxy.as_ref().is_some_and(|list| bypasses_proxy(list, api));
    let Some(address) = settings.proxy.as_ref().filter(|_| !direct) else { return Ok(None) };
    let unusable = |what: &str| {
        let what = format!("the proxy in HTTPS_PROXY or ALL_PROXY is {what}");
        let advice = "make it an address such as http://proxy.example:3128, or unset it; NO_PROXY lists \
                      hosts to reach without";
        Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice).of(Scope::Process)
    };
    let proxy = Proxy::new(address.expose()).map_err(|_| unusable("not an address"))?;
    // ureq panics at one that it was built without.
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(Some(proxy)),
        _ => Err(unusable("a SOCKS proxy, which is not supported")),
    }
}

/// The configured certificates, or the system's.
fn roots(api: &ApiUrl, certificates: &Certificates) -> Result<RootCerts, Failure> {
    let Certificates { file, directories } = certificates;
    let is_asked = certificates.are_set();
    let system = (!is_asked).then(openssl_probe::probe);
    let (system_file, system_directory) =
        system.map_or((None, None), |it| (it.cert_file, it.cert_dir.into_iter().next()));
    let file = file.as_ref().or(system_file.as_ref());
    let directories = directories.iter().chain(&system_directory);
    let mut roots = Vec::new();
    let mut load = |file: Option<&Path>, directory: Option<&Path>| {
        let found = load_certs_from_paths(file, directory);
        roots.extend(found.certs.iter().map(|root| Certificate::from_der(root).to_owned()));
    };
    // Reading a pipe or a device might never end.
    load(file.map(PathBuf::as_path).filter(|file| file.is_file()), None);
    directories.for_each(|directory| load(None, Some(directory)));
    if !roots.is_empty() {
        return Ok(RootCerts::new_with_certs(&roots));
    }
    let what = match is_asked {
        true => "SSL_CERT_FILE and SSL_CERT_DIR name no certificates".to_owned(),
        false => format!("no certificates to check the worker at {api} with"),
    };
    let advice = "install ca-certificates, or make SSL_CERT_FILE name a file that holds some";
    Err(Failure::new(Name::WorkerUnreachable, Retry::WhenMended, what, advice).of(Scope::Process))
}

fn proxy_failed(worker: &ApiUrl) -> Failure {
    let what = format!("the proxy in HTTPS_PROXY does not lead to the worker at {worker}");
    let advice = "check HTTPS_PROXY and NO_PROXY";
    Failure::new(Name::WorkerUnreachable, Retry::Later, what, advice)
}

fn phase_name(phase: Timeout) -> &'static str {
    match phase {
        Timeout::Resolve => "looking up its name",
        Timeout::Connect => "connecting",
        _ => "waiting for the answer",
    }
}
