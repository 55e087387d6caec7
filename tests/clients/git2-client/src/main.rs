//! `git2-client URL [TRIES]`: lists the references of a remote, as a program on git2-rs does it:
//! asks git's credential helpers through `Cred::credential_helper` each time that libgit2 wants a
//! credential, up to TRIES times (once by default, as cargo does). Prints how often it asked.

use std::process::ExitCode;

use git2::{Config, Cred, CredentialType, Direction, Error, Remote, RemoteCallbacks};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let tries = arguments.next().map_or(1, |tries| tries.parse().expect("a number"));
    let mut asked = 0;
    let listed = list(&url, tries, &mut asked);
    println!("asked={asked}");
    match &listed {
        Ok(references) => println!("references={references}"),
        Err(error) => eprintln!("{error}"),
    }
    if listed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn list(url: &str, tries: u32, asked: &mut u32) -> Result<usize, Error> {
    let config = Config::open_default()?;
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(|url, user, allowed| {
        if *asked == tries || !allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
            return Err(Error::from_str("no authentication method succeeded"));
        }
        *asked += 1;
        Cred::credential_helper(&config, url, user)
    });
    let mut remote = Remote::create_detached(url)?;
    let connection = remote.connect_auth(Direction::Fetch, Some(callbacks), None)?;
    Ok(connection.list()?.len())
}
