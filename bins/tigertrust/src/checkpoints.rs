//! Checkpoints of the audit log, appended to a file by the clock.

use std::{fs::OpenOptions, io::Write, path::Path};

use tigertrust::TigerTrust;
use tokio::time::{MissedTickBehavior, interval};

use crate::{commands::audit::checkpoints, config::AuditSettings, failure::Failure};

/// Appends to the file that the settings name, for ever; what fails is tried again the next time.
pub async fn keep(instance: TigerTrust, settings: AuditSettings) {
    let Some(path) = &settings.checkpoint_file else {
        return;
    };
    let mut ticks = interval(settings.checkpoint_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match append(&instance, path).await {
            Ok(()) => tracing::debug!(path = %path.display(), "checkpoints of the audit log written"),
            Err(failure) => {
                tracing::error!(path = %path.display(), %failure, "checkpoints of the audit log could not be written");
            }
        }
    }
}

async fn append(instance: &TigerTrust, path: &Path) -> Result<(), Failure> {
    let mut lines = String::new();
    let (signed, broken) = checkpoints(instance, None).await?;
    for failure in broken {
        tracing::error!(%failure, "a chain of the audit log was tampered with");
    }
    for checkpoint in signed {
        lines.push_str(&serde_json::to_string(&checkpoint)?);
        lines.push('\n');
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
