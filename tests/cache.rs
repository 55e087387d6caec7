//! What the cache keeps, and for whom: each API URL, town and rig apart, private from the first
//! byte.

use crate::scene::*;
use crate::town::{RIG, Rig, TOWN, Town};

#[test]
fn files_are_private_whatever_the_umask() {
    // A file that nobody can use would cost a call and a warning each time.
    for umask in ["000", "022", "077", "111", "133", "177", "277", "777"] {
        let mut scene = Scene::new();
        scene.home.set("GASTOWN_CONTAINER_TOKEN", scene.worker.container_token_issued(9 * HOUR));
        let trace = scene.path("trace");
        let traced = format!("GASTOWN_TRACE={} exec \"$HELPER\" get", trace.display());
        let token = scene.current();
        scene.shell(&format!("umask {umask}; {traced}")).answers(&token);
        scene.get().answers(&token);
        assert_eq!(scene.calls(), 1, "umask {umask}");
        assert_eq!(mode(scene.home.cache()), 0o700, "umask {umask}");
        let files = scene.home.cache_files();
        assert_eq!(mode(&trace) & 0o7177, 0, "umask {umask}");
        assert!(files.len() >= 3, "a token, a container token, a lock: {files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "umask {umask}: {files:?}");
    }
}

#[test]
fn each_api_url_town_and_rig_has_one_token_for_all_its_hosts() {
    let (mut scene, other) = (Scene::new(), Town::start());
    scene.worker.add_rig("rig-2", Rig::Installation);
    let hosts = format!("http://{},github.com", scene.github.host());
    scene.home.set("GASTOWN_GIT_HOSTS", &hosts);
    for round in 0..2 {
        scene.get().answers(&scene.current());
        scene.ask("get", "protocol=https\nhost=github.com\n\n").answers(&scene.current());
        scene.home.set("GASTOWN_RIG_ID", "rig-2");
        scene.get().answers(&scene.worker.token_for("rig-2"));
        let of_town_2 = scene.worker.container_token_of_town("town-2");
        scene.home.set("GASTOWN_RIG_ID", RIG).set("GASTOWN_TOWN_ID", "town-2");
        scene.home.set("GASTOWN_CONTAINER_TOKEN", &of_town_2);
        scene.get().token();
        scene.home.set("GASTOWN_TOWN_ID", TOWN).set("GASTOWN_API_URL", other.worker.url());
        scene.home.set("GASTOWN_CONTAINER_TOKEN", other.worker.container_token());
        let token = scene.get().token();
        assert!(other.worker.minted_for(RIG).contains(&token));
        scene.home.set("GASTOWN_API_URL", scene.town.worker.url());
        scene.home.set("GASTOWN_CONTAINER_TOKEN", scene.town.worker.container_token());
        assert_eq!((scene.calls(), other.worker.calls().len()), (3, 1), "round {round}");
    }
}

#[test]
fn no_id_steers_the_name_of_a_file() {
    let mut scene = Scene::new();
    for rig in ["r".repeat(128), "-.._.-".to_owned(), "rig.lock".to_owned()] {
        scene.worker.add_rig(&rig, Rig::Installation);
        scene.home.set("GASTOWN_RIG_ID", &rig);
        scene.get().assert_ok();
    }
    let files = scene.home.cache_files();
    assert_eq!(files.len(), 6, "three entries, three locks: {files:?}");
    for file in files {
        assert_eq!(file.parent(), Some(&*scene.home.cache()));
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.len() < 64 && !name.starts_with(['-', '.', 'r']), "{name}");
    }
}
