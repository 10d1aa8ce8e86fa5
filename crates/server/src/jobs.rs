//! What happens on its own: scheduled purge, rotation by policy, near-expiry records, and the
//! rotation of the issuer's signing keys. All of it is in the store, so a restart forgets nothing.

use std::sync::Arc;
use std::time::Duration;

use strongroom_store::Cx;
use strongroom_store::engine::due_timers;
use tokio::sync::watch;

use crate::app::App;

/// How often the store is asked what is due.
const PERIOD: Duration = Duration::from_secs(1);

/// Timers taken in one go.
const CHUNK: usize = 100;

/// Runs until told to stop.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        tick(&app).await;
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = crate::told_to_stop(&mut stop) => return,
        }
    }
}

/// Does all that is due now.
pub async fn tick(app: &App) {
    loop {
        let now = app.clock.now();
        let due = match due_timers(app.vaults.records(), now, CHUNK).await {
            Ok(due) => due,
            Err(fault) => {
                tracing::error!(%fault, "the store did not say what is due");
                break;
            }
        };
        let mut all_done = true;
        for timer in &due {
            let done = match app.vaults.get(&timer.vault, now).await {
                Ok(engine) => engine.fire(&Cx::system(now), timer).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {
                    tracing::info!(vault = %timer.vault, action = ?timer.action, name = %timer.name, "done on time")
                }
                Err(error) => {
                    all_done = false;
                    tracing::error!(vault = %timer.vault, action = ?timer.action, name = %timer.name, %error,
                        "could not be done on time; it will be tried again");
                }
            }
        }
        // What failed stays due: it is for the next tick.
        if due.len() < CHUNK || !all_done {
            break;
        }
    }
    if let Err(error) = app.directory.rotate_signing_keys(app.clock.now()).await {
        tracing::error!(%error, "the token signing keys could not be rotated; it will be tried again");
    }
}
