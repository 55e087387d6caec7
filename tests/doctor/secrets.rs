use super::*;

/// One for each place where a secret may be, so that a leak tells where it is from.
const PLACES: [&str; 8] = [
    "GIT_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_CLI_PAT",
    "GITLAB_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "HTTPS_PROXY",
    "GASTOWN_CONTAINER_TOKEN",
];

/// Everything that could go wrong at once, with a sentinel wherever a secret could stand.
fn broken(git: &Git) -> Scene {
    let mut scene = Scene::new(git);
    for name in PLACES {
        scene.home.set(name, &format!("sentinel-{name}"));
    }
    scene.home.set("HTTPS_PROXY", "http://user:sentinel-proxy@proxy.example");
    scene.home.set("GIT_TOKEN", "ghs_sentinel-git");
    let file = scene.path("container-token");
    fs::write(&file, "sentinel-file").expect("the home is writable");
    scene.home.set("GASTOWN_CONTAINER_TOKEN_FILE", &file.to_string_lossy());
    let host = scene.town.github.host();
    let url = format!("http://sentinel-user:sentinel-password@{host}/acme/app.git");
    scene.git(&["config", "remote.origin.url", &url]);
    scene.git(&["config", "--add", "remote.origin.pushurl", &url]);
    scene.git(&["config", "http.extraHeader", "Authorization: Bearer sentinel-header"]);
    scene.git(&["config", &format!("url.http://x:sentinel-base@{host}/.insteadOf"), "gh:"]);
    let rule = format!("http://x:sentinel-rule@{host}/");
    scene.git(&["config", "url.https://elsewhere.example/.insteadOf", &rule]);
    fs::write(scene.path(".netrc"), "default login x password sentinel-netrc\n")
        .expect("the home is writable");
    let line = format!("http://x:sentinel-store@{host}\n");
    fs::write(scene.path(".git-credentials"), line).expect("the home is writable");
    scene.git(&["config", "credential.helper", "store"]);
    scene
}

#[test]
fn no_secret_is_told_whatever_is_broken() {
    for git in Git::all() {
        let scene = broken(&git);
        let token = scene.town.worker.token_for("rig-1");
        let url = scene.town.github.url_with(REPOSITORY, "sentinel-argument");
        for arguments in [
            &["--json"][..],
            &["--offline"],
            &["--online", &url],
            &["--online", &scene.town.github.url(REPOSITORY), "-v"],
        ] {
            let ran = scene.doctor(arguments);
            assert_eq!(ran.code, 1, "{ran:?}");
            for said in [&ran.stdout, &ran.stderr] {
                assert!(!said.contains("sentinel"), "{ran:?}");
                assert!(!said.contains(&token), "{ran:?}");
            }
        }
    }
}

#[test]
fn nothing_of_setup_tells_one_either() {
    for git in Git::all() {
        let scene = broken(&git);
        for arguments in
            [&["--migrate", "app", "--dry-run"][..], &["--migrate", "app"], &["--undo"]]
        {
            let ran = scene.home.helper(&[&["setup", "-v"], arguments].concat(), "");
            for said in [&ran.stdout, &ran.stderr] {
                assert!(!said.contains("sentinel"), "{ran:?}");
            }
        }
    }
}
