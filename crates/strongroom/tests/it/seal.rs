//! The keys of the store: rotated under load, changed, shared for backups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::process::{fail, private_file, text};
use crate::production::Site;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_load_and_the_passphrase_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let server = site.serve();
    let client = site.client().await;
    for number in 0..50 {
        client.set_secret(&format!("before-{number}"), "1").await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|task| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut written = 0;
                while !stop.load(Ordering::SeqCst) {
                    client.set_secret(&format!("load-{task}-{written}"), "2").await;
                    assert_eq!(client.secret("before-7").await.as_deref(), Some("1"));
                    written += 1;
                }
                written
            })
        })
        .collect();
    private_file(&site.path("new-passphrase"), b"a new and better one\n");
    let new = site.path("new-passphrase");
    let said = site.run(&["seal", "rotate", "--data-keys"]);
    assert!(said.contains("root key") && said.contains("data keys"), "{said}");
    let said = site.run(&["seal", "rotate", "--data-keys", "--new-passphrase-file", text(&new)]);
    assert!(said.contains("new seal"), "{said}");
    stop.store(true, Ordering::SeqCst);
    let mut written = Vec::new();
    for task in load {
        written.push(task.await.unwrap());
    }
    assert!(written.iter().all(|count| *count > 0), "{written:?}");
    assert!(server.stop().success());

    fail(&site.arguments(&["serve"]), &["passphrase"]);
    site.edit(text(&site.path("passphrase")), text(&new));
    let server = site.serve();
    let client = site.client().await;
    for (task, count) in written.iter().enumerate() {
        for number in 0..*count {
            assert_eq!(client.secret(&format!("load-{task}-{number}")).await.as_deref(), Some("2"));
        }
    }
    assert!(site.run(&["check"]).contains("damaged: 0"));
    assert!(server.stop().success());
    // The same without a server.
    assert!(site.run(&["seal", "rotate", "--data-keys"]).contains("data keys"));
    let server = site.serve();
    assert_eq!(site.client().await.secret("before-7").await.as_deref(), Some("1"));
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_gives_way_to_a_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let key = site.path("root.key");
    private_file(&key, &[7; 31]);
    fail(&site.arguments(&["seal", "rotate", "--new-key-file", text(&key)]), &["31 bytes", "32"]);
    private_file(&key, &[7; 32]);
    site.run(&["seal", "rotate", "--new-key-file", text(&key)]);
    fail(&site.arguments(&["check"]), &["key file"]);
    site.edit("kind = \"passphrase\"", "kind = \"file\"");
    site.edit(text(&site.path("passphrase")), text(&key));
    assert!(site.run(&["check"]).contains("damaged: 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_where_the_same_backup_key_is() {
    let parent = tempfile::tempdir().unwrap();
    let key = parent.path().join("backup.key");
    private_file(&key, &[5; 32]);
    let with_key = format!("backup_key_file = \"{}\"", key.display());
    let site = |name: &str, more: &str| {
        let folder = parent.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let site = Site::new(&folder, more);
        site.init();
        site
    };
    let (first, second, third) = (site("first", &with_key), site("second", &with_key), site("third", ""));
    let servers = [first.serve(), second.serve(), third.serve()];
    let client = first.client().await;
    client.set_secret("moved", "one").await;
    client.set_secret("moved", "two").await;
    let (status, blob) = client.post("/secrets/moved/backup", json!(null)).await;
    assert_eq!(status, 200, "{blob}");
    let (status, answer) = second.client().await.post("/secrets/restore", blob.clone()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(second.client().await.secret("moved").await.as_deref(), Some("two"));
    assert_eq!(second.client().await.list("/secrets/moved/versions").await.len(), 2);
    let (status, answer) = third.client().await.post("/secrets/restore", blob).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("BadParameter")), "{answer}");
    // Backups of the time before a key was shared stay good.
    let client = third.client().await;
    client.set_secret("before", "kept").await;
    let (_, blob) = client.post("/secrets/before/backup", json!(null)).await;
    let [first_server, second_server, third_server] = servers;
    assert!(third_server.stop().success());
    third.edit("domain =", &format!("{with_key}\n            domain ="));
    let servers = [first_server, second_server, third.serve()];
    third.run(&["vault", "create", "other"]);
    third.run(&["role", "assign", "--role", "Key Vault Administrator", "--principal", "shop", "--scope", "other"]);
    let (status, answer) = third.client().await.at("other").post("/secrets/restore", blob).await;
    assert_eq!(status, 200, "{answer}");
    for server in servers {
        assert!(server.stop().success());
    }
}
