//! The examples for programs that live longer than a token: each call has the one that is live
//! then.

use crate::scene::{HOUR, Scene, works};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/long-lived");

#[test]
fn shell_loop_asks_before_each_call_and_goes_on_after_one_that_fails() {
    let mut scene = Scene::new();
    scene.script("bin/curl", "cat; echo; test -n \"$FAILS\" || exit 22");
    scene.home.put_on_path(&scene.path("bin"));
    let ran = scene.home.run(format!("{EXAMPLES}/poll.sh"), &["0", "2"], "");
    // Each refused call has the worker asked, which hands the same token out for half an hour.
    let token = scene.current();
    assert_eq!(ran.assert_ok().stdout.matches(&token).count(), 2, "{ran:?}");
    assert!(scene.calls() > 1, "{ran:?}");
    scene.home.set("FAILS", "no");
    scene.let_pass(HOUR);
    scene.home.set("GASTOWN_CONTAINER_TOKEN", scene.worker.container_token());
    let later = scene.home.run(format!("{EXAMPLES}/poll.sh"), &["0", "1"], "");
    let header = format!("Authorization: Bearer {}\"", scene.current());
    assert!(later.assert_ok().stdout.contains(&header), "{later:?}");
    assert_ne!(token, scene.current());
}

#[test]
fn octokits_requests_have_a_live_token_and_one_that_is_refused_is_made_again() {
    if !works("node", &["--version"], "no node") {
        return;
    }
    let scene = Scene::new();
    // As Octokit calls an authentication strategy's hook; the first call is refused.
    let program = format!(
        "import {{ gastownAuth }} from '{EXAMPLES}/octokit.mjs';
         const auth = gastownAuth();
         const request = async ({{ headers }}) => {{
             console.log(headers.authorization);
             if (calls++ === 0) throw Object.assign(new Error('refused'), {{ status: 401 }});
         }};
         let calls = 0;
         request.endpoint = {{ merge: () => ({{ headers: {{}} }}) }};
         await auth.hook(request, 'GET /', {{}});
         await auth.hook(request, 'GET /', {{}});
         console.log((await auth()).token);"
    );
    let ran = scene.home.run("node", &["--input-type=module", "--eval", &program], "");
    let token = scene.current();
    assert_eq!(ran.assert_ok().stdout.matches(&format!("token {token}")).count(), 3, "{ran:?}");
    assert!(ran.stdout.ends_with(&format!("\n{token}\n")), "{ran:?}");
    assert_eq!(scene.calls(), 2, "once, and again after the refusal");
}

#[test]
fn pygithubs_requests_have_a_live_token() {
    if !works("python3", &["--version"], "no python3") {
        return;
    }
    let mut scene = Scene::new();
    scene.home.set("PYTHONPATH", EXAMPLES).set("PYTHONDONTWRITEBYTECODE", "1");
    let program = "from pygithub import GastownAuth; auth = GastownAuth(); print(auth.token)";
    let ran = scene.home.run("python3", &["-c", program], "");
    assert_eq!(ran.assert_ok().stdout, format!("{}\n", scene.current()));
}
