//! What SIGHUP takes up while the server runs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tigertrust::TigerTrust;
use tigertrust_credentials::ports::StoreError;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use super::source;
use crate::{
    cli::Common,
    config::{Flag, Keyring, OnReload, SecretKind, Settings, documented},
    dependents::Dependents,
    failure::Failure,
    instance::prefer_known_to_others,
    logging::LogFilter,
    servers::Servers,
    supervisor,
    tls::CertificateFiles,
};

/// As often as servers say which secrets they have.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where settings are read from again.
pub struct Reload {
    common: Common,
    flags: Vec<Flag>,
    hangup: Signal,
    log: LogFilter,
    filter: String,
    keyring: Option<Keyring>,
    fingerprints: BTreeMap<String, [u8; 32]>,
}

impl Reload {
    /// Catches SIGHUP from now on. The settings are those that the server starts with.
    pub fn new(
        common: &Common,
        flags: Vec<Flag>,
        settings: &Settings,
        log: LogFilter,
    ) -> Result<Self, Failure> {
        Ok(Self {
            common: common.clone(),
            flags,
            hangup: signal(SignalKind::hangup())?,
            log,
            filter: settings.log.filter.clone(),
            keyring: settings.keyring.clone(),
            fingerprints: settings.fingerprints.clone(),
        })
    }

    /// Reads the settings again whenever it is told to, for ever, and uses of each kind the first secret that all servers know: others come
    /// and go, and may bring another ring.
    pub async fn keep(mut self, instance: TigerTrust, certificates: Option<Arc<CertificateFiles>>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            tokio::select! {
                hangup = self.hangup.recv() => {
                    if hangup.is_none() {
                        return;
                    }
                    self.read_again(&instance, certificates.as_deref()).await;
                }
                _ = looks.tick() => {
                    if let Some(ring) = &self.keyring {
                        let trouble = follow_others(&instance, ring).await.err().map(|failure| failure.to_string());
                        if let Some(trouble) = trouble.as_ref().filter(|_| trouble != told) {
                            tracing::error!("{trouble}");
                        }
                        told = trouble;
                    }
                }
            }
        }
    }

    async fn read_again(&mut self, instance: &TigerTrust, certificates: Option<&CertificateFiles>) {
        supervisor::reloading();
        if let Some(certificates) = certificates {
            certificates.take_up();
        }
        let (common, flags) = (self.common.clone(), self.flags.clone());
        // A command may have to be waited for.
        let read = spawn_blocking(move || {
            Settings::load(&source(&common, flags)?, &common.data).map_err(Failure::from)
        });
        match read.await {
            Ok(Ok(settings)) => self.take_up(instance, settings).await,
            Ok(Err(failure)) => {
                tracing::error!(%failure, "the settings cannot be read again: the server goes on with those it has");
            }
            Err(error) => tracing::error!(%error, "the settings could not be read again"),
        }
        supervisor::ready();
    }

    async fn take_up(&mut self, instance: &TigerTrust, settings: Settings) {
        if settings.log.filter != self.filter {
            self.log.change(&settings.log);
            self.filter.clone_from(&settings.log.filter);
        }
        for key in changed(&self.fingerprints, &settings.fingerprints) {
            tracing::warn!(setting = key, "has changed: that needs a restart");
        }
        if self.take_up_ring(instance, settings.keyring).await {
            tracing::info!("settings read again");
        } else {
            tracing::warn!("settings read again, but not the key ring");
        }
    }

    /// Whether the ring is one to go on with.
    async fn take_up_ring(&mut self, instance: &TigerTrust, ring: Option<Keyring>) -> bool {
        let Some(running) = &mut self.keyring else {
            return true;
        };
        let Some(ring) = ring else {
            tracing::error!("the key ring is gone: the server goes on with the one it has");
            return false;
        };
        if ring.is_same(running) {
            return true;
        }
        let lost = owned(running.lost_in(&ring));
        // A ring that has been changed in the ordinary way holds what this server uses for what is new: `secrets remove` refuses to take it
        // out before. So another ring is a wrong one, and to use its secrets would be the greater harm.
        let is_wrong = |(kind, id): &&(SecretKind, String)| {
            running.in_use(*kind).as_ref() == Some(id) || ring.ids(*kind).any(|held| held == id)
        };
        let wrong: Vec<_> = lost.iter().filter(is_wrong).collect();
        if !wrong.is_empty() {
            tracing::error!(
                lost = named(wrong),
                "the new key ring lacks secrets that are in use for what is new, or has others of their ids: the server goes on with the one \
                 it has. Put them back, or restart the server to go on without"
            );
            return false;
        }
        let (kept, dropped): (Vec<_>, Vec<_>) = needed(instance, lost).await;
        if !kept.is_empty() {
            tracing::warn!(
                lost = named(&kept),
                "the new key ring lacks secrets that are still needed: the server keeps them until it ends. Put them back before it does"
            );
        }
        if !dropped.is_empty() {
            tracing::info!(secrets = named(&dropped), "taken out");
        }
        let before = in_use(running);
        // Before it is taken up: nothing is to be made with what others do not understand.
        if let Err(failure) = prefer_known_to_others(instance, &ring).await {
            tracing::warn!(%failure, "what is new is made as before, as far as the ring has the secrets for it");
            for (kind, id) in &before {
                ring.prefer(*kind, id);
            }
        }
        let mut added = owned(ring.lost_in(running));
        for kind in running.replace(&ring, &kept) {
            tracing::warn!(%kind, "the key ring held no secret of this kind at the start: that needs a restart");
            added.retain(|(of, _)| *of != kind);
        }
        if !added.is_empty() {
            tracing::info!(secrets = named(&added), "held from now on");
        }
        taken_up(instance, running, &before).await;
        true
    }
}

fn owned(secrets: Vec<(SecretKind, &str)>) -> Vec<(SecretKind, String)> {
    let owned = secrets.into_iter().map(|(kind, id)| (kind, id.to_owned()));
    owned.collect()
}

/// What is new is made with these.
fn in_use(ring: &Keyring) -> Vec<(SecretKind, String)> {
    let of_kind = |kind| ring.in_use(kind).map(|id| (kind, id));
    SecretKind::ALL.into_iter().filter_map(of_kind).collect()
}

/// Has what is new made with what all servers know now.
async fn follow_others(instance: &TigerTrust, ring: &Keyring) -> Result<(), Failure> {
    let before = in_use(ring);
    let followed = prefer_known_to_others(instance, ring).await;
    if in_use(ring) != before {
        taken_up(instance, ring, &before).await;
    }
    followed
}

/// What follows when what is new may be made with other secrets than before.
async fn taken_up(instance: &TigerTrust, ring: &Keyring, before: &[(SecretKind, String)]) {
    // At once, so that the others need not wait for it.
    if let Err(error) = instance.tell_presence().await {
        tracing::debug!(%error, "the other servers could not be told which secrets this one runs with");
    }
    for (kind, id) in in_use(ring).iter().filter(|used| !before.contains(used)) {
        tracing::info!(%kind, id, "in use from now on");
    }
    // So that an earlier pepper is not needed for what is new.
    if let Err(error) = instance.storage().audit().reseal_heads().await {
        tracing::warn!(%error, "the heads of the audit log could not be sealed anew: the next start does it");
    }
}

/// Parts secrets that a new ring lacks into those that are still needed, and the others. While that cannot be known all are: to keep one
/// does no harm, and without one what depends on it would be refused.
async fn needed(
    instance: &TigerTrust,
    lost: Vec<(SecretKind, String)>,
) -> (Vec<(SecretKind, String)>, Vec<(SecretKind, String)>) {
    if lost.is_empty() {
        return (lost, Vec::new());
    }
    let found = async {
        let others = Servers::read(instance.storage(), instance.clock().now()).await?;
        let dependents = Dependents::read(instance.storage()).await?;
        Ok::<_, StoreError>((others.without(instance.node()), dependents))
    };
    let found = match found.await {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!(%error, "it is not known what depends on the secrets that the new key ring lacks");
            None
        }
    };
    lost.into_iter().partition(|(kind, id)| {
        found.as_ref().is_none_or(|(others, dependents)| {
            // What another server makes with it meanwhile has to be understood here.
            let others = others.standing(*kind, id);
            !others.using.is_empty() || !others.unknown.is_empty() || !dependents.on(*kind, id).is_empty()
        })
    })
}

fn named<'a>(secrets: impl IntoIterator<Item = &'a (SecretKind, String)>) -> String {
    let names = secrets.into_iter().map(|(kind, id)| format!("{kind} {id}"));
    names.collect::<Vec<_>>().join(", ")
}

/// The settings of which the values differ, without those that are taken up.
fn changed<'a>(
    before: &'a BTreeMap<String, [u8; 32]>,
    after: &'a BTreeMap<String, [u8; 32]>,
) -> Vec<&'a str> {
    let mut keys: Vec<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| {
        let is_taken_up = documented(key).is_some_and(|known| known.reload == OnReload::TakenUp);
        before.get(*key) != after.get(*key) && !is_taken_up
    });
    keys
}
