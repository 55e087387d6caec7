//! Completions, by running them: in each shell, for both ways to call the program.

use super::*;

const LINES: [(&str, &str); 7] = [
    ("git-credential-gastown do", "doctor"),
    ("git-credential-gastown status --js", "--json"),
    ("git-credential-gastown token --on-failure q", "quit"),
    ("git-credential-gastown completions po", "powershell"),
    ("git credential-gastown do", "doctor"),
    ("git credential-gastown status --js", "--json"),
    ("git -C . credential-gastown token --re", "--reveal"),
];

/// git's own completion, with which `git credential-gastown` begins.
const OF_GIT: &str = "/usr/share/bash-completion/completions/git";

fn completions(scene: &Scene, shell: &str) -> PathBuf {
    let ran = scene.helper(&["completions", shell]);
    scene.write("_git-credential-gastown", &ran.assert_ok().stdout)
}

/// What a shell offers, line by line, for each of the lines that are completed.
#[track_caller]
fn assert_offers(scene: &Scene, shell: &str, script: &str, lines: &[(&str, &str)]) {
    scene.write("script", script);
    let ran = scene.home.run(format!("/usr/bin/{shell}"), &["script"], "");
    let offered: Vec<_> = ran.assert_ok().stdout.lines().collect();
    let expected: Vec<_> = lines.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(offered, expected, "{ran:?}");
}

fn is_there(path: &str) -> bool {
    let is_there = Path::new(path).exists();
    if !is_there {
        crate::town::skip(format!("no {path}"));
    }
    is_there
}

#[test]
fn bash_completes_what_follows_a_subcommand() {
    let scene = Scene::new();
    // The last ones begin in git's own completion.
    let tested = if is_there(OF_GIT) { &LINES[..] } else { &LINES[..4] };
    let own = completions(&scene, "bash");
    let lines: String = tested.iter().map(|(line, _)| format!("offer {line}\n")).collect();
    let script = format!(
        r#"
        [[ ! -e {OF_GIT} ]] || . {OF_GIT}
        . {}
        offer() {{
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${{#COMP_LINE}}
            local function=__git_wrap__git_main
            [[ $1 == git ]] || function=$(complete -p "$1" | sed 's/.* -F \([^ ]*\) .*/\1/')
            COMPREPLY=()
            "$function" "$1" "${{@: -1}}" "${{@: -2:1}}" 2>/dev/null
            echo "${{COMPREPLY[@]}}"
        }}
        {lines}"#,
        own.display()
    );
    assert_offers(&scene, "bash", &script, tested);
}

#[test]
fn fish_completes_what_follows_a_subcommand() {
    let scene = Scene::new();
    if !is_there("/usr/bin/fish") {
        return;
    }
    let own = completions(&scene, "fish");
    let lines: String = LINES.map(|(line, _)| format!("complete -C {line:?} | cut -f1\n")).concat();
    assert_offers(&scene, "fish", &format!("source {}\n{lines}", own.display()), &LINES);
}

#[test]
fn zsh_completes_what_follows_a_subcommand() {
    let scene = Scene::new();
    if !is_there("/usr/bin/zsh") {
        return;
    }
    completions(&scene, "zsh");
    // It completes at a terminal only. What was typed comes back with the rest of the last word.
    let offer = |(line, expected): (&str, &str)| {
        let (front, _) = line.rsplit_once(' ').expect("several words");
        format!(
            "zpty -w -n z $'{line}\\t'; zpty -r z seen '*{front} {expected}*' && echo {expected}\n\
             zpty -w -n z $'\\x15'\n"
        )
    };
    let script = format!(
        "zmodload zsh/zpty; zpty z zsh -f -i\n\
         zpty -w z 'PS1=; fpath=(~ $fpath); autoload -Uz compinit; compinit -D -u; print REA\"\"DY'\n\
         zpty -r z seen '*READY*'\n{}",
        LINES.map(offer).concat()
    );
    assert_offers(&scene, "zsh", &script, &LINES);
}

#[test]
fn completions_are_made_for_each_shell() {
    let scene = Scene::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = scene.helper(&["completions", shell]);
        let script = &ran.assert_ok().stdout;
        assert!(script.contains("refresh") && !script.contains("{n}"), "{shell}");
    }
}
