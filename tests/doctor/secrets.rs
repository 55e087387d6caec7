use super::*;

/// One for each variable where a secret may be, so that a leak tells where it is from.
const VARIABLES: [&str; 8] = [
    "GIT_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_CLI_PAT",
    "GITLAB_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "HTTPS_PROXY",
    "GASTOWN_CONTAINER_TOKEN",
];

/// The same for git's configuration. `HOST` is ours.
const CONFIGURATION: [(&str, &str); 19] = [
    ("remote.origin.url", "http://sentinel-user:sentinel-password@HOST/acme/app.git"),
    ("remote.origin.pushurl", "http://sentinel-token@HOST/acme/app.git"),
    ("remote.ssh.url", "ssh://git:sentinel-ssh@HOST/acme/app.git"),
    ("remote.ftps.url", "ftps://x:sentinel-ftps@HOST/acme/app.git"),
    ("remote.foo.url", "foo::https://x:sentinel-foo@HOST/acme/app.git"),
    ("remote.scp.url", "sentinel-scp:sentinel-word@host.example:acme/app.git"),
    ("remote.lines.url", "ssh://host.example/\x1b[31m\nforged"),
    ("credential.https://x:sentinel-section@HOST.username", "me"),
    ("remote.query.url", "http://HOST/acme/app.git?private_token=sentinel-query"),
    ("remote.elsewhere.url", "https://git.example/app.git?access_token=sentinel-elsewhere"),
    ("http.extraHeader", "Authorization: Bearer sentinel-header"),
    ("url.http://x:sentinel-base@HOST/.insteadOf", "gh:"),
    ("url.ssh://x:sentinel-ssh-base@git.example/.insteadOf", "http://HOST/"),
    ("url.https://elsewhere.example/.pushInsteadOf", "http://x:sentinel-rule@HOST/"),
    ("credential.helper", "!f() { echo username=x; echo password=sentinel-inline; }; f"),
    ("credential.http://HOST.helper", ""),
    ("credential.http://HOST.helper", "!echo sentinel-of-host"),
    ("credential.http://HOST.helper", "vault --secret-id sentinel-argument"),
    ("credential.helper", "store"),
];

/// Everything that could go wrong at once, with a sentinel wherever a secret could stand.
fn broken(git: &Git) -> Scene {
    let mut scene = Scene::cloned(git);
    for name in VARIABLES {
        scene.home.set(name, format!("sentinel-{name}"));
    }
    scene.home.set("HTTPS_PROXY", "http://user:sentinel-proxy@proxy.example");
    scene.home.set("GIT_TOKEN", "ghs_sentinel-git");
    let host = scene.github.host();
    let hosts = "https://x:sentinel-hosts@git.example,sentinel-h@git.example,https://x:sentinel-p";
    scene.home.set("GASTOWN_GIT_HOSTS", format!("http://{host},{hosts}"));
    let file = scene.write("container-token", "sentinel-file");
    scene.home.set("GASTOWN_CONTAINER_TOKEN_FILE", &file);
    for (key, value) in CONFIGURATION {
        let [key, value] = [key, value].map(|text| text.replace("HOST", &host));
        scene.git(&["config", "--add", &key, &value]);
    }
    scene.write(".netrc", "default login x password sentinel-netrc\n");
    scene
}

#[test]
fn no_secret_is_shown_whatever_is_broken() {
    for git in Git::all() {
        let scene = broken(&git);
        let token = scene.worker.token_for("rig-1");
        for arguments in [&["--json"][..], &["--offline"], &["-v"]] {
            let ran = scene.doctor(arguments);
            assert_eq!(ran.code, 1, "{ran:?}");
            assert!(!ran.stdout.contains("\nforged") && !ran.stdout.contains('\x1b'), "{ran:?}");
            for said in [&ran.stdout, &ran.stderr] {
                assert!(!said.contains("sentinel"), "{ran:?}");
                assert!(!said.contains(&token), "{ran:?}");
            }
        }
        let found = scene.diagnose(&[]);
        found.finds("fail", "helpers", "`an inline helper` (credential.http", "setup");
    }
}

#[test]
fn no_other_command_tells_one_either() {
    for git in Git::all() {
        let scene = broken(&git);
        for arguments in [
            &["setup", "-v", "--migrate", "app", "--dry-run"][..],
            &["setup", "-v", "--migrate", "app"],
            &["setup", "-v", "--undo"],
            &["status", "-v"],
            &["get", "-v", "http://x:sentinel-url@git.example/?token=sentinel-q"],
        ] {
            let ran = scene.helper(arguments);
            for said in [&ran.stdout, &ran.stderr] {
                assert!(!said.contains("sentinel"), "{ran:?}");
            }
        }
    }
}
