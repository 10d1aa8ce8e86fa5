//! Secrets by tenant.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use strongroom::secrets::{
    ConfigResolver, ConfigValue, HealthStatus, LocalSecrets, ResolverOptions, SecretError, SecretResolver, SettingKind,
    StaticSettings,
};

use crate::support::World;

/// Each test runs over one vault for all organisations, and over a vault for each.
macro_rules! in_both_layouts {
    ($($name:ident: $flavor:literal,)+) => {
        mod one_vault {
            $(#[tokio::test(flavor = $flavor)]
            async fn $name() {
                super::$name(super::World::new()).await;
            })+
        }

        mod vault_per_org {
            $(#[tokio::test(flavor = $flavor)]
            async fn $name() {
                super::$name(super::World::per_org()).await;
            })+
        }
    };
}

in_both_layouts! {
    an_organisations_own_wins_and_only_absence_falls_through: "current_thread",
    a_value_is_good_for_an_hour_and_an_absence_for_half_a_minute: "current_thread",
    questions_at_the_same_time_ask_the_vault_once: "multi_thread",
    the_cache_is_bounded: "current_thread",
    an_outage_is_an_error_unless_old_values_or_local_ones_may_be_used: "current_thread",
    three_tiers_with_one_warning_a_fall_and_never_a_value_in_it: "current_thread",
    the_value_of_before_a_rotation_can_be_had: "current_thread",
    settings_have_types_and_may_refer_to_secrets: "current_thread",
}

async fn value(resolver: &SecretResolver, org: &str, key: &str) -> String {
    resolver.get(org, key).await.unwrap().expose().clone()
}

async fn an_organisations_own_wins_and_only_absence_falls_through(world: World) {
    let resolver = world.resolver(ResolverOptions::default());
    world.set("GLOBAL--api-key", "of all").await;
    assert_eq!(value(&resolver, "org-123", "api-key").await, "of all");
    world.set("org-123--api-key", "own").await;
    resolver.invalidate("org-123", "api-key");
    assert_eq!(value(&resolver, "org-123", "api-key").await, "own");
    assert_eq!(value(&resolver, "org-456", "api-key").await, "of all");
    world.disable("org-123--api-key").await;
    resolver.clear();
    let refused = resolver.get("org-123", "api-key").await.unwrap_err();
    assert!(
        matches!(refused, SecretError::Invalid { .. }),
        "a secret that is disabled is not the one for all: {refused}"
    );
    world.delete("org-123--api-key").await;
    assert_eq!(value(&resolver, "org-123", "api-key").await, "of all");
    assert_eq!(
        resolver.get("org-123", "absent").await.unwrap_err().to_string(),
        "Secret 'absent' not found for org 'org-123'. Tried: org-123--absent, GLOBAL--absent"
    );
    let long = resolver.get(&"o".repeat(100), &"k".repeat(100)).await.unwrap_err();
    assert!(long.to_string().contains("127"), "{long}");
}

async fn a_value_is_good_for_an_hour_and_an_absence_for_half_a_minute(world: World) {
    let resolver = world.resolver(ResolverOptions::default());
    world.set("org--key", "one").await;
    world.asked();
    for _ in 0..100 {
        assert_eq!(value(&resolver, "org", "key").await, "one");
    }
    assert_eq!(world.asked(), 1);
    world.set("org--key", "two").await;
    world.asked();
    world.clock.advance(3_599);
    assert_eq!((value(&resolver, "org", "key").await, world.asked()), ("one".to_owned(), 0));
    world.clock.advance(2);
    assert_eq!((value(&resolver, "org", "key").await, world.asked()), ("two".to_owned(), 1));

    resolver.get("org", "new").await.unwrap_err();
    world.set("org--new", "there").await;
    world.clock.advance(29);
    resolver.get("org", "new").await.unwrap_err();
    world.clock.advance(2);
    assert_eq!(value(&resolver, "org", "new").await, "there");

    let longer = world.resolver(ResolverOptions { ttl: 8 * 3_600, ..ResolverOptions::default() });
    value(&longer, "org", "key").await;
    world.asked();
    world.clock.advance(8 * 3_600 - 1);
    value(&longer, "org", "key").await;
    assert_eq!(world.asked(), 0);
}

async fn questions_at_the_same_time_ask_the_vault_once(world: World) {
    world.set("org--key", "v").await;
    let resolver = Arc::new(world.resolver(ResolverOptions::default()));
    world.asked();
    let wanted = vec![("org".to_owned(), "key".to_owned()); 500];
    let answers = resolver.get_all(&wanted).await;
    assert!(answers.len() == 500 && answers.iter().all(|answer| answer.as_ref().unwrap().expose() == "v"));
    assert_eq!(world.asked(), 1);
    let mixed =
        [("org", "key"), ("org", "absent"), ("other", "key")].map(|(org, key)| (org.to_owned(), key.to_owned()));
    let answers = resolver.get_all(&mixed).await;
    assert!(answers[0].is_ok() && answers[1].is_err() && answers[2].is_err());
}

async fn the_cache_is_bounded(world: World) {
    let resolver = world.resolver(ResolverOptions { capacity: 10, ..ResolverOptions::default() });
    for number in 0..100 {
        world.set(&format!("org--k{number}"), "v").await;
        value(&resolver, "org", &format!("k{number}")).await;
    }
    world.asked();
    for number in 0..100 {
        value(&resolver, "org", &format!("k{number}")).await;
    }
    assert!(world.asked() >= 80, "more than ten were remembered");
}

async fn an_outage_is_an_error_unless_old_values_or_local_ones_may_be_used(world: World) {
    world.set("org--key", "v").await;
    let strict = world.resolver(ResolverOptions::default());
    let lenient = world.resolver(ResolverOptions { stale_if_error: Some(600), ..ResolverOptions::default() });
    for resolver in [&strict, &lenient] {
        value(resolver, "org", "key").await;
    }
    world.away(true);
    assert_eq!(value(&strict, "org", "key").await, "v");
    world.clock.advance(3_601);
    let fault = strict.get("org", "key").await.unwrap_err();
    assert!(matches!(fault, SecretError::Network { .. }) && fault.to_string().contains("org--key"), "{fault}");
    assert_eq!(value(&lenient, "org", "key").await, "v");
    world.clock.advance(600);
    lenient.get("org", "key").await.unwrap_err();
    assert_eq!(strict.health().await.status, HealthStatus::Unhealthy);
    world.away(false);
    let health = strict.health().await;
    assert_eq!((health.status, health.message.as_str()), (HealthStatus::Healthy, "Connected"));
    assert_eq!(health.status.as_str(), "healthy");
    assert_eq!(value(&strict, "org", "key").await, "v");
}

/// What is written to the log by this thread, for as long as the guard lives.
fn log() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Lines(Arc::clone(&kept))).finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

async fn three_tiers_with_one_warning_a_fall_and_never_a_value_in_it(world: World) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
        path
    };
    let settings = file("local.settings.json", r#"{"Values": {"GLOBAL__SMTP_PASSWORD": "canary-settings", "N": 1}}"#);
    let dotenv = file(".env", "# local\nexport TEST_ORG__CLIENT_SECRET=\"canary-dotenv\"\nGLOBAL__X='canary-x'\n");
    let variables = |name: &str| (name == "ORG123__API_KEY").then(|| "canary-variable".to_owned());
    let local = LocalSecrets::new(variables).with_settings_file(&settings).unwrap().with_dotenv_file(&dotenv).unwrap();
    let resolver = world.resolver(ResolverOptions::default()).with_local(local);
    let (lines, _guard) = log();
    let said = || String::from_utf8(std::mem::take(&mut *lines.lock().unwrap())).unwrap();
    let warnings = |said: &str| said.matches(" WARN ").count();

    // The vault first, even where there is a local one.
    world.set("org123--api-key", "from the vault").await;
    assert_eq!(value(&resolver, "org123", "api-key").await, "from the vault");
    said();
    resolver.clear();
    world.away(true);
    assert_eq!(value(&resolver, "org123", "api-key").await, "canary-variable");
    let first = said();
    assert!(first.contains("Key Vault unavailable: ") && first.contains(", using local fallback"), "{first}");
    assert_eq!(warnings(&first), 1, "{first}");
    assert_eq!(value(&resolver, "any", "smtp-password").await, "canary-settings");
    said();
    assert_eq!(value(&resolver, "test-org", "client-secret").await, "canary-dotenv");
    let second = said();
    assert_eq!(warnings(&second), 2, "{second}");
    assert_eq!(value(&resolver, "any", "x").await, "canary-x");
    let nowhere = resolver.get("any", "nowhere").await.unwrap_err();
    assert_eq!(nowhere.to_string(), "Secret 'nowhere' not found in Key Vault or local config");
    let all = first + &second + &said() + &format!("{resolver:?}{nowhere:?}");
    assert!(!all.contains("canary"), "{all}");

    let bad = file("bad.env", "canary without an equals sign\n");
    let refused = LocalSecrets::new(|_| None).with_dotenv_file(&bad).unwrap_err();
    assert!(refused.contains("line 1") && !refused.contains("canary"), "{refused}");
    let bad = file("bad.json", "{canary");
    assert!(!LocalSecrets::new(|_| None).with_settings_file(&bad).unwrap_err().contains("canary"));
}

async fn the_value_of_before_a_rotation_can_be_had(world: World) {
    let resolver = world.resolver(ResolverOptions::default());
    world.set("GLOBAL--key", "one").await;
    assert!(resolver.previous("org", "key").await.unwrap().is_none());
    for value in ["two", "three"] {
        world.clock.advance(60);
        world.set("GLOBAL--key", value).await;
    }
    assert_eq!(resolver.previous("org", "key").await.unwrap().unwrap().expose(), "two");
    assert!(matches!(resolver.previous("org", "absent").await, Err(SecretError::NotFound { .. })));
}

async fn settings_have_types_and_may_refer_to_secrets(world: World) {
    world.set("org--db-password", "hush").await;
    let source = StaticSettings::default()
        .with("GLOBAL", "name", SettingKind::String, "all")
        .with("org", "name", SettingKind::String, "own")
        .with("GLOBAL", "port", SettingKind::Int, " 8080 ")
        .with("GLOBAL", "on", SettingKind::Bool, "Yes")
        .with("GLOBAL", "off", SettingKind::Bool, "2")
        .with("GLOBAL", "list", SettingKind::Json, "[1]")
        .with("GLOBAL", "password", SettingKind::SecretRef, "db-password")
        .with("GLOBAL", "broken", SettingKind::Int, "canary")
        .with("GLOBAL", "json", SettingKind::Json, "{canary");
    let secrets = Arc::new(world.resolver(ResolverOptions::default()));
    let config = ConfigResolver::new(Arc::new(source), secrets);
    let get = async |org: &str, key: &str| config.get_config(org, key).await;
    assert!(matches!(get("org", "name").await, Ok(Some(ConfigValue::String(text))) if text == "own"));
    assert!(matches!(get("other", "name").await, Ok(Some(ConfigValue::String(text))) if text == "all"));
    assert!(matches!(get("org", "port").await, Ok(Some(ConfigValue::Int(8080)))));
    assert!(matches!(get("org", "on").await, Ok(Some(ConfigValue::Bool(true)))));
    assert!(matches!(get("org", "off").await, Ok(Some(ConfigValue::Bool(false)))));
    assert!(matches!(get("org", "list").await, Ok(Some(ConfigValue::Json(list))) if list[0] == 1));
    assert!(matches!(get("org", "password").await, Ok(Some(ConfigValue::Secret(value))) if value.expose() == "hush"));
    assert!(matches!(get("org", "absent").await, Ok(None)));
    let fault = get("other", "password").await.unwrap_err().to_string();
    assert!(["password", "other", "db-password"].iter().all(|word| fault.contains(word)), "{fault}");
    for key in ["broken", "json"] {
        let fault = get("org", key).await.unwrap_err().to_string();
        assert!(fault.contains(key) && !fault.contains("canary"), "{fault}");
    }
}
