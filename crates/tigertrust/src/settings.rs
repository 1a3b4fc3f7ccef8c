//! What an embedder says, read the same way for an instance and for a gate over a store of its own.

use std::time::Duration;

use tigertrust_credentials::{OsRandom, Pepper, PepperError, PepperRing};
use tigertrust_model::{CatalogError, KeyTypes, RandomError, Scope, ScopeCatalog, ScopeDefinition};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::BuildError;

/// How long the feed of changes may be silent before nothing remembered is trusted, where nobody says otherwise.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(5);

/// A new secret for a pepper, out of the operating system's random source. Store it where your other secrets are, and give the same one to
/// every process over the same keys.
///
/// # Errors
/// [`RandomError`] when the operating system gives no random bytes.
pub fn generate_pepper() -> Result<Zeroizing<String>, RandomError> {
    Pepper::generate_secret(&OsRandom)
}

pub(crate) fn ring(given: Vec<(String, Result<Pepper, PepperError>)>) -> Result<PepperRing, BuildError> {
    let last = given
        .last()
        .map(|(id, _)| id.clone())
        .ok_or(BuildError::NoPepper)?;
    let peppers = given
        .into_iter()
        .map(|(id, pepper)| pepper.map_err(|why| BuildError::Pepper { id, why }))
        .collect::<Result<_, _>>()?;
    PepperRing::new(peppers).map_err(|why| BuildError::Pepper { id: last, why })
}

pub(crate) fn catalog(given: Vec<(String, String, KeyTypes)>) -> Result<ScopeCatalog, BuildError> {
    if given.is_empty() {
        return Ok(ScopeCatalog::default());
    }
    let definitions = given
        .into_iter()
        .map(|(name, description, types)| match name.parse::<Scope>() {
            Ok(scope) => Ok(ScopeDefinition {
                scope,
                description,
                types,
            }),
            Err(why) => Err(BuildError::ScopeName { name, why }),
        })
        .collect::<Result<_, _>>()?;
    ScopeCatalog::new(definitions).map_err(|(scope, why): (Scope, CatalogError)| BuildError::Scope {
        name: scope.to_string(),
        why,
    })
}

/// With no time at all nothing could ever be trusted.
pub(crate) const fn ensure_some_trust(max_staleness: Duration) -> Result<(), BuildError> {
    if max_staleness.is_zero() {
        return Err(BuildError::Staleness(max_staleness));
    }
    Ok(())
}

/// The runtime that was named, or the one that this runs on.
pub(crate) fn runtime(named: Option<Handle>) -> Result<Handle, BuildError> {
    match named {
        Some(runtime) => Ok(runtime),
        None => Handle::try_current().map_err(|_| BuildError::NoRuntime),
    }
}
