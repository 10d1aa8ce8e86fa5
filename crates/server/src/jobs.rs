//! What happens on its own: scheduled purge, rotation by policy, near-expiry records, and the
//! rotation of the issuer's signing keys. All of it is in the store, so a restart forgets nothing.

use std::sync::Arc;
use std::time::Duration;

use strongroom_store::engine::{Timer, due_timers};
use strongroom_store::{Cx, Time};
use tokio::sync::watch;

use crate::app::App;

/// How often the store is asked what is due.
const PERIOD: Duration = Duration::from_secs(1);

/// Timers taken in one go.
const CHUNK: usize = 100;

/// Runs until told to stop.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tick(&app) => {}
            // What is left stays due.
            () = crate::told_to_stop(&mut stop) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = crate::told_to_stop(&mut stop) => return,
        }
    }
}

/// Does all that is due now. What fails stays due, and does not hold up the rest.
pub async fn tick(app: &App) {
    let now = app.clock.now();
    let mut after = None;
    loop {
        let due = match due_timers(app.vaults.records(), now, CHUNK, after.take()).await {
            Ok(due) => due,
            Err(fault) => {
                tracing::error!(%fault, "the store did not say what is due");
                break;
            }
        };
        for timer in &due {
            fire(app, timer, now).await;
        }
        match due.last() {
            Some(last) if due.len() == CHUNK => after = Some(last.key.clone()),
            _ => break,
        }
    }
    app.stores.tick(now).await;
    if let Err(error) = app.directory.rotate_signing_keys(now).await {
        tracing::error!(%error, "the token signing keys could not be rotated; it will be tried again");
    }
}

async fn fire(app: &App, timer: &Timer, now: Time) {
    let done = match app.vaults.get(&timer.vault, now).await {
        Ok(engine) => engine.fire(&Cx::system(now), timer).await,
        Err(error) => Err(error),
    };
    let Timer { vault, action, name, .. } = timer;
    match done {
        Ok(()) => tracing::info!(%vault, ?action, %name, "done on time"),
        Err(error) => tracing::error!(%vault, ?action, %name, %error, "not done on time; it will be tried again"),
    }
}
