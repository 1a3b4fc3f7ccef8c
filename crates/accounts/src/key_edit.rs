//! What an edit does to a key, and what whoever makes it must hold.

use tigertrust_credentials::KeyFormats;
use tigertrust_model::{
    ApiKey, KeyLimits, KeyReach, Lifecycle, ScopeCatalog, ScopeSet, Timestamp, WorkspaceId,
};

use crate::{
    Actor, FlowError, KeyChanges,
    keys::{MAX_EXTERNAL_ID, MAX_NAME},
    validation::Validation,
};

/// Applies the changes to the key as it is now, or says why not.
pub(crate) fn apply(
    actor: &Actor,
    key: &mut ApiKey,
    changes: KeyChanges,
    others: Option<Vec<WorkspaceId>>,
    catalog: &ScopeCatalog,
    formats: &KeyFormats,
    now: Timestamp,
) -> Result<(), FlowError> {
    key.ensure_editable()?;
    let before = key.clone();
    let mut validation = Validation::of_keys(formats);
    if let Some(name) = changes.name {
        validation.line("/name", &name, MAX_NAME);
        key.name = name;
    }
    if let Some(external_id) = changes.external_id {
        if let Some(external_id) = &external_id {
            validation.line("/externalId", external_id, MAX_EXTERNAL_ID);
        }
        key.external_id = external_id;
    }
    if let Some(metadata) = changes.metadata {
        validation.metadata(&metadata);
        key.metadata = metadata;
    }
    if let Some(expires_at) = changes.expires_at {
        validation.expiry(expires_at, now);
        key.expires_at = expires_at;
    }
    if let Some(networks) = changes.allowed_cidrs {
        key.allowed_cidrs = validation.networks(&networks);
    }
    if let Some(limits) = changes.limits {
        validation.limits(limits);
        key.limits = limits;
    }
    // Whoever gives a key more than it has must hold all that it then may do, wherever it may do it.
    let widened = changes.scopes.is_some()
        || others.is_some()
        || key.allowed_cidrs != before.allowed_cidrs
        || key.expires_at != before.expires_at
        || key.limits != before.limits
        || (is_anothers(actor, key)
            && (key.external_id != before.external_id || key.metadata != before.metadata))
        || (changes.active == Some(true) && before.lifecycle != Lifecycle::Active);
    if let Some(scopes) = changes.scopes {
        key.scopes = validation.scopes(&scopes, key.kind, catalog);
    }
    if let Some(others) = others {
        match key.reach.home() {
            Some(home) => key.reach = KeyReach::workspaces(home, others),
            None => validation.refuse(
                "/workspaceIds",
                "an instance key acts in the workspace that each request names",
            ),
        }
    }
    validation.finish()?;
    if widened {
        ensure_holds(actor, key)?;
    }
    if changes.limits.is_some() {
        ensure_limited(actor, key.limits)?;
    }
    match changes.active {
        Some(true) => key.activate()?,
        Some(false) => key.deactivate()?,
        None => {}
    }
    key.updated_at = now;
    Ok(())
}

/// Whether the key is the personal key of somebody else.
fn is_anothers(actor: &Actor, key: &ApiKey) -> bool {
    key.owner.is_some() && key.owner != actor.person() && !actor.is_operator()
}

pub(crate) fn ensure_grantable(actor: &Actor, scopes: &ScopeSet) -> Result<(), FlowError> {
    match actor.first_beyond(scopes) {
        None => Ok(()),
        Some(scope) => Err(FlowError::forbidden(
            "/scopes",
            format!("{scope} is beyond the caller's own scopes, so the caller cannot give it to a key"),
        )),
    }
}

/// Whoever is held to limits of its own holds others to them.
pub(crate) fn ensure_limited(actor: &Actor, limits: KeyLimits) -> Result<(), FlowError> {
    let own = actor.limits();
    let exceeds =
        |own: Option<u32>, given: Option<u32>| own.is_some_and(|own| given.is_none_or(|given| given > own));
    let refuse = |place, own: Option<u32>| {
        let detail = format!("must be at most {}, as the caller's own", own.unwrap_or_default());
        Err(FlowError::forbidden(place, detail))
    };
    if exceeds(own.minute, limits.minute) {
        refuse("/limits/minute", own.minute)
    } else if exceeds(own.hour, limits.hour) {
        refuse("/limits/hour", own.hour)
    } else {
        Ok(())
    }
}

/// Whoever gets a secret gets all that the key may do, and must hold it already.
pub(crate) fn ensure_holds(actor: &Actor, key: &ApiKey) -> Result<(), FlowError> {
    // Who holds a personal key acts as its owner.
    if is_anothers(actor, key) {
        return Err(FlowError::forbidden(
            "",
            "a personal key is its owner's: others may only rename, switch off or revoke it",
        ));
    }
    ensure_grantable(actor, &key.scopes)?;
    let beyond = actor
        .workspaces(key.owner.is_some())
        .is_some_and(|own| !key.reach.named().all(|id| own.contains(&id)));
    if beyond {
        Err(FlowError::WorkspaceDenied(Vec::new()))
    } else {
        Ok(())
    }
}
