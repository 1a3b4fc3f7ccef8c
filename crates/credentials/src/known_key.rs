//! A key that was looked up, with what admission keeps beside it.

use std::{fmt, hint::black_box, ops::Deref};

use tigertrust_model::{Entity, KeyState, KeyType, Timestamp};

use crate::{
    AuthError, Charge, Unauthorized,
    cache::Remember,
    limits::KeyCounts,
    ports::{DependsOn, KeyRecord},
    usage::KeyUsage,
    uses::UseMark,
};

/// A key that was looked up. What each request asks of it stands side by side, since with many keys in use most of the time goes
/// by until memory answers.
#[repr(C)]
pub(crate) struct KnownKey {
    /// From when on it is refused; always for one that is no good already.
    good_until: Timestamp,
    /// When its use was last noted.
    pub(crate) mark: UseMark,
    /// Where what it spends is counted.
    pub(crate) counts: KeyCounts,
    /// How often it was used, until that is collected.
    pub(crate) usage: KeyUsage,
    pub(crate) kind: KeyType,
    pub(crate) has_home: bool,
    /// Whether it may be used from some networks only.
    pub(crate) is_bound: bool,
    pub(crate) is_personal: bool,
    record: KeyRecord,
}

impl KnownKey {
    pub(crate) fn new(record: KeyRecord) -> Self {
        let is_good = check(&record, Timestamp::MIN).is_ok();
        Self {
            good_until: if is_good {
                record.expires_at().unwrap_or(Timestamp::MAX)
            } else {
                Timestamp::MIN
            },
            mark: UseMark::default(),
            counts: KeyCounts::default(),
            usage: KeyUsage::default(),
            kind: record.key.kind,
            has_home: record.home().is_some(),
            is_bound: !record.key.allowed_cidrs.is_empty(),
            is_personal: record.owner.is_some(),
            record,
        }
    }

    /// Whether the key is good at that time: not revoked, not expired, active, and its workspace and owner are there.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn check_state(&self, now: Timestamp) -> Result<(), AuthError> {
        if now < self.good_until {
            Ok(())
        } else {
            check(&self.record, now)
        }
    }
}

/// A revoked key is revoked even if it is expired too, and so on down the list.
fn check(record: &KeyRecord, now: Timestamp) -> Result<(), AuthError> {
    let replaced = record.secret_ends_at.is_some_and(|end| end <= now);
    match record.key.state(now) {
        KeyState::Revoked => return Err(AuthError::KeyRevoked),
        _ if replaced => return Err(AuthError::KeyRevoked),
        KeyState::Expired => return Err(AuthError::TokenExpired),
        KeyState::Deactivated => return Err(AuthError::Unauthorized(Unauthorized::Deactivated)),
        KeyState::Active => {}
    }
    if record.home().is_some_and(|home| home.deleted_at.is_some()) {
        return Err(AuthError::Unauthorized(Unauthorized::WorkspaceDeleted));
    }
    let gone = record.owner.as_ref().is_some_and(|owner| {
        owner.disabled_at.is_some() || record.home().and_then(|home| owner.role_in(home.id)).is_none()
    });
    if gone {
        Err(AuthError::Unauthorized(Unauthorized::OwnerGone))
    } else {
        Ok(())
    }
}

impl Deref for KnownKey {
    type Target = KeyRecord;

    fn deref(&self) -> &KeyRecord {
        &self.record
    }
}

impl DependsOn for KnownKey {
    fn entities(&self) -> Vec<Entity> {
        self.record.entities()
    }
}

impl Remember for KnownKey {
    /// All of it at once: with many keys in use one thing takes as long to come as all of them, and whoever asks for one after the other
    /// waits for each. Who verifies keys is few, so that what that has spent is near anyway.
    fn fetch(&self) {
        self.counts.fetch(Charge::Plan);
        black_box((self.mark.second(), self.usage.waits(), self.kind));
    }
}

impl fmt::Debug for KnownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}
