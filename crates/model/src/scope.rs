//! Scopes: what a key may do, and the catalogue of those that exist.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::{KeyType, KeyTypes};

/// The management scopes: what a key may do to TigerTrust itself. Only agent keys may hold them.
pub mod management {
    use super::Scope;

    /// List and read keys.
    pub const KEYS_READ: Scope = Scope::fixed("keys:read");
    /// Create, edit, rotate and revoke keys.
    pub const KEYS_WRITE: Scope = Scope::fixed("keys:write");
    /// Verify other keys, follow the feed of changes.
    pub const KEYS_VERIFY: Scope = Scope::fixed("keys:verify");
    /// List members.
    pub const MEMBERS_READ: Scope = Scope::fixed("members:read");
    /// Invite, change and remove members.
    pub const MEMBERS_WRITE: Scope = Scope::fixed("members:write");
    /// Read the workspace's settings.
    pub const WORKSPACE_READ: Scope = Scope::fixed("workspace:read");
    /// Change the workspace's settings.
    pub const WORKSPACE_WRITE: Scope = Scope::fixed("workspace:write");
    /// Read and export the audit log.
    pub const AUDIT_READ: Scope = Scope::fixed("audit:read");
    /// Read usage counts.
    pub const USAGE_READ: Scope = Scope::fixed("usage:read");
    /// Configure single sign-on.
    pub const SSO_WRITE: Scope = Scope::fixed("sso:write");

    /// Every management scope with what it allows.
    pub(super) const ALL: [(Scope, &str); 10] = [
        (KEYS_READ, "List and read the workspace's API keys"),
        (
            KEYS_WRITE,
            "Create, edit, rotate and revoke the workspace's API keys",
        ),
        (KEYS_VERIFY, "Verify keys and follow the feed of changes"),
        (MEMBERS_READ, "List the workspace's members"),
        (MEMBERS_WRITE, "Invite, change and remove members"),
        (WORKSPACE_READ, "Read the workspace's settings"),
        (WORKSPACE_WRITE, "Change the workspace's settings"),
        (AUDIT_READ, "Read and export the audit log"),
        (USAGE_READ, "Read usage counts"),
        (SSO_WRITE, "Configure single sign-on"),
    ];

    /// Every management scope.
    pub(crate) fn scopes() -> impl Iterator<Item = Scope> {
        ALL.into_iter().map(|(scope, _)| scope)
    }

    /// Whether management scopes have the family.
    pub(crate) fn has_family(family: &str) -> bool {
        scopes().any(|scope| scope.family() == family)
    }
}

/// One permission, `family:action`, or all of a family, `family:*`. At most 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Cow<'static, str>);

/// The text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a scope such as certificates:read or certificates:*, out of a-z, 0-9, - and _")]
pub struct ScopeError;

impl Scope {
    const fn fixed(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the colon.
    #[must_use]
    pub fn family(&self) -> &str {
        self.0.split_once(':').map_or("", |(family, _)| family)
    }

    /// What stands after the colon.
    #[must_use]
    pub fn action(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, action)| action)
    }

    /// The scope of the same family with another action, which must be a word.
    pub(crate) fn sibling(&self, action: &str) -> Self {
        Self(Cow::Owned(format!("{}:{action}", self.family())))
    }

    /// Whether it is about TigerTrust itself, and not about an application.
    #[must_use]
    pub fn is_management(&self) -> bool {
        management::has_family(self.family())
    }

    /// Whether this is `family:*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.ends_with(":*")
    }

    /// Whether a holder of `self` may do what `other` says. Only a wildcard grants a wildcard, since it also
    /// grants what the family gains later.
    #[must_use]
    pub fn grants(&self, other: &Self) -> bool {
        self == other || (self.is_wildcard() && self.family() == other.family())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |part: &str| {
            part.starts_with(|letter: char| letter.is_ascii_lowercase())
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        let shaped = text
            .split_once(':')
            .is_some_and(|(family, action)| word(family) && (action == "*" || word(action)));
        if shaped && text.len() <= 64 {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(ScopeError)
        }
    }
}

/// The scopes of one holder: sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// Whether one of the scopes grants `wanted`.
    #[must_use]
    pub fn grants(&self, wanted: &Scope) -> bool {
        self.0.iter().any(|scope| scope.grants(wanted))
    }

    /// The place of the scope that grants `wanted`: the very one if it is there, else the first wildcard that does.
    #[must_use]
    pub fn granting(&self, wanted: &Scope) -> Option<usize> {
        let wildcard = || self.0.iter().position(|scope| scope.grants(wanted));
        self.0.binary_search(wanted).ok().or_else(wildcard)
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

/// A scope that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeDefinition {
    /// The scope; never a wildcard.
    pub scope: Scope,
    /// What it allows, in a sentence for people.
    pub description: String,
    /// Which types of key may hold it.
    pub types: KeyTypes,
}

/// Why a scope cannot be given to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// No such scope is defined.
    #[error("no such scope")]
    Unknown,
    /// It is not for keys of this type.
    #[error("a {0} key cannot hold this scope")]
    NotForType(KeyType),
    /// An application scope is defined twice, is a wildcard, or uses the family of a management scope.
    #[error("defined twice, a wildcard, or in the family of a management scope")]
    NotDefinable,
}

/// Every scope that exists: the management scopes and those of the applications behind this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeCatalog(Vec<ScopeDefinition>);

impl ScopeCatalog {
    /// The management scopes and the given application scopes.
    ///
    /// # Errors
    /// [`CatalogError::NotDefinable`] with the scope that cannot be defined.
    pub fn new(application: Vec<ScopeDefinition>) -> Result<Self, (Scope, CatalogError)> {
        let mut all: Vec<ScopeDefinition> = management::ALL
            .into_iter()
            .map(|(scope, description)| ScopeDefinition {
                scope,
                description: description.to_owned(),
                types: KeyTypes::AGENT,
            })
            .collect();
        let managed = all.len();
        for definition in application {
            let reserved = all
                .iter()
                .take(managed)
                .any(|known| known.scope.family() == definition.scope.family());
            let twice = all.iter().any(|known| known.scope == definition.scope);
            if reserved || twice || definition.scope.is_wildcard() {
                return Err((definition.scope, CatalogError::NotDefinable));
            }
            all.push(definition);
        }
        Ok(Self(all))
    }

    /// The application scopes that are there without configuration.
    #[must_use]
    pub fn shipped_application_scopes() -> Vec<ScopeDefinition> {
        [
            ("certificates:read", "Read certificates", KeyTypes::ANY),
            ("certificates:write", "Store certificates", KeyTypes::ANY),
            ("agents:report", "Report the state of an agent", KeyTypes::AGENT),
        ]
        .into_iter()
        .map(|(scope, description, types)| ScopeDefinition {
            scope: Scope::fixed(scope),
            description: description.to_owned(),
            types,
        })
        .collect()
    }

    /// All definitions, management scopes first.
    pub fn iter(&self) -> impl Iterator<Item = &ScopeDefinition> {
        self.0.iter()
    }

    /// Every scope that a key of the type may hold, wildcards aside.
    #[must_use]
    pub fn all_for(&self, kind: KeyType) -> ScopeSet {
        self.0
            .iter()
            .filter(|definition| definition.types.contains(kind))
            .map(|definition| definition.scope.clone())
            .collect()
    }

    /// Whether a key of the type may hold the scope. A wildcard must be allowed in all that it grants.
    ///
    /// # Errors
    /// [`CatalogError::Unknown`] and [`CatalogError::NotForType`].
    pub fn check(&self, scope: &Scope, kind: KeyType) -> Result<(), CatalogError> {
        let mut granted = self
            .0
            .iter()
            .filter(|known| scope.grants(&known.scope))
            .peekable();
        if granted.peek().is_none() {
            return Err(CatalogError::Unknown);
        }
        if granted.all(|known| known.types.contains(kind)) {
            Ok(())
        } else {
            Err(CatalogError::NotForType(kind))
        }
    }

    /// Whether the scope, or for a wildcard its family, is defined.
    #[must_use]
    pub fn knows(&self, scope: &Scope) -> bool {
        self.0.iter().any(|known| scope.grants(&known.scope))
    }
}

impl Default for ScopeCatalog {
    /// The management scopes and the shipped application scopes.
    fn default() -> Self {
        // The shipped scopes collide with nothing (tested), so the fallback is never taken.
        Self::new(Self::shipped_application_scopes()).unwrap_or(Self(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn the_shipped_catalogue_is_complete() {
        assert_eq!(ScopeCatalog::default().iter().count(), 13);
        assert_eq!(ScopeCatalog::default().all_for(KeyType::Public).iter().count(), 2);
    }

    #[test]
    fn a_wildcard_grants_its_family_and_no_other() {
        assert!(scope("keys:*").grants(&scope("keys:read")));
        assert!(scope("keys:*").grants(&scope("keys:*")));
        assert!(!scope("keys:*").grants(&scope("keysx:read")));
        assert!(!scope("keys:read").grants(&scope("keys:*")));
        assert!(!scope("keys:read").grants(&scope("keys:write")));
    }

    #[test]
    fn the_scope_that_grants_is_the_narrowest_one() {
        let set: ScopeSet = ["keys:*", "keys:read", "members:read"]
            .map(scope)
            .into_iter()
            .collect();
        assert_eq!(set.granting(&scope("keys:read")), Some(1));
        assert_eq!(set.granting(&scope("keys:write")), Some(0));
        assert_eq!(set.granting(&scope("keys:*")), Some(0));
        assert_eq!(set.granting(&scope("members:write")), None);
    }

    #[test]
    fn what_is_not_a_scope_is_refused() {
        for text in [
            "",
            "keys",
            "keys:",
            ":read",
            "*:*",
            "keys:**",
            "keys:re*d",
            "Keys:read",
            "keys:read ",
            "a:b:c",
            "é:b",
        ] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeError), "{text}");
        }
        assert!(format!("a:{}", "b".repeat(62)).parse::<Scope>().is_ok());
        assert!(format!("a:{}", "b".repeat(63)).parse::<Scope>().is_err());
    }

    #[test]
    fn a_key_may_hold_only_what_its_type_allows() {
        let catalog = ScopeCatalog::default();
        assert_eq!(catalog.check(&scope("certificates:*"), KeyType::Public), Ok(()));
        assert_eq!(
            catalog.check(&scope("keys:read"), KeyType::Public),
            Err(CatalogError::NotForType(KeyType::Public))
        );
        assert_eq!(
            catalog.check(&scope("agents:*"), KeyType::Public),
            Err(CatalogError::NotForType(KeyType::Public))
        );
        assert_eq!(
            catalog.check(&scope("nothing:read"), KeyType::Agent),
            Err(CatalogError::Unknown)
        );
        assert_eq!(
            catalog.check(&scope("nothing:*"), KeyType::Agent),
            Err(CatalogError::Unknown)
        );
    }

    #[test]
    fn an_application_scope_cannot_pose_as_a_management_scope() {
        for text in ["keys:read", "keys:new", "certificates:*"] {
            let definition = ScopeDefinition {
                scope: scope(text),
                description: String::new(),
                types: KeyTypes::ANY,
            };
            assert_eq!(
                ScopeCatalog::new(vec![definition]),
                Err((scope(text), CatalogError::NotDefinable)),
                "{text}"
            );
        }
    }
}
