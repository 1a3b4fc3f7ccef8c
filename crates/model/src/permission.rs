//! What each role permits: the one table for people and their personal keys.

use crate::{Role, Scope, ScopeSet, management};

/// What members may do beside using the applications. Of keys they may do so only with their own.
const OF_MEMBERS: [Scope; 5] = [
    management::KEYS_READ,
    management::KEYS_WRITE,
    management::MEMBERS_READ,
    management::WORKSPACE_READ,
    management::USAGE_READ,
];

/// What viewers may do beside reading in the applications.
const OF_VIEWERS: [Scope; 3] = [
    management::MEMBERS_READ,
    management::WORKSPACE_READ,
    management::USAGE_READ,
];

impl Role {
    /// Whether somebody with the role may do what the scope says. As with [`Scope::grants`], a wildcard is permitted only
    /// where all of its family is.
    #[must_use]
    pub fn permits(self, scope: &Scope) -> bool {
        let managed = management::has_family(scope.family());
        match self {
            Self::Owner => true,
            // Whoever says who the identity provider is can be anybody, an owner too.
            Self::Admin => !scope.grants(&management::SSO_WRITE),
            Self::Member => !managed || OF_MEMBERS.contains(scope),
            Self::Viewer if managed => OF_VIEWERS.contains(scope),
            Self::Viewer => scope.action() == "read",
        }
    }

    /// Whether the role reaches the workspace's keys; others reach only what is their own.
    #[must_use]
    pub const fn manages_keys(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    /// Whether somebody with the role may turn a member that is `from` into one that is `to`; `None` is no member. Nobody
    /// makes anybody more than it is itself, and owners are the business of owners. That everybody may leave is no matter
    /// of roles.
    #[must_use]
    pub fn may_turn(self, from: Option<Self>, to: Option<Self>) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => from != Some(Self::Owner) && to != Some(Self::Owner),
            Self::Member | Self::Viewer => false,
        }
    }

    /// The role, or an admin's where it is more than that.
    #[must_use]
    pub const fn at_most_admin(self) -> Self {
        match self {
            Self::Owner => Self::Admin,
            less => less,
        }
    }

    /// Whether the role may end the workspace's existence.
    #[must_use]
    pub const fn deletes_workspace(self) -> bool {
        matches!(self, Self::Owner)
    }
}

impl ScopeSet {
    /// What is left of the scopes for somebody with the role. A wildcard that the role does not permit as a whole leaves
    /// those of its family that it does.
    #[must_use]
    pub fn permitted_to(&self, role: Role) -> Self {
        self.iter()
            .flat_map(|scope| {
                if role.permits(scope) {
                    vec![scope.clone()]
                } else if scope.is_wildcard() {
                    members_of_family(scope)
                        .filter(|scope| role.permits(scope))
                        .collect()
                } else {
                    Vec::new()
                }
            })
            .collect()
    }
}

/// The management scopes that a wildcard grants, or what a viewer may do in an application.
fn members_of_family(wildcard: &Scope) -> impl Iterator<Item = Scope> {
    let managed = management::scopes().filter(|scope| wildcard.grants(scope));
    let read = (!management::has_family(wildcard.family())).then(|| wildcard.sibling("read"));
    managed.chain(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_is_as_written() {
        let table = [
            ("keys:read", "oam-"),
            ("keys:write", "oam-"),
            ("keys:verify", "oa--"),
            ("members:read", "oamv"),
            ("members:write", "oa--"),
            ("workspace:read", "oamv"),
            ("workspace:write", "oa--"),
            ("audit:read", "oa--"),
            ("usage:read", "oamv"),
            ("sso:write", "o---"),
            ("sso:*", "o---"),
            ("keys:*", "oa--"),
            ("certificates:read", "oamv"),
            ("certificates:write", "oam-"),
            ("certificates:*", "oam-"),
        ];
        for (name, letters) in table {
            for (role, letter) in Role::ALL.into_iter().zip(letters.chars()) {
                assert_eq!(role.permits(&scope(name)), letter != '-', "{role} {name}");
            }
        }
        assert_eq!(management::scopes().count(), 10);
    }

    #[test]
    fn each_role_permits_all_that_the_ones_after_it_do() {
        for pair in Role::ALL.windows(2) {
            let [more, less] = pair else { continue };
            for one in management::scopes().chain([scope("a:read"), scope("a:write")]) {
                assert!(more.permits(&one) || !less.permits(&one), "{more} {less} {one}");
            }
        }
    }

    /// Each row: what the member is, what it becomes, and who may do that.
    #[test]
    fn the_table_of_members_is_as_written() {
        let (owner, others) = ("o---", "oa--");
        let table = [
            ("owner", "admin", owner),
            ("owner", "-", owner),
            ("admin", "owner", owner),
            ("viewer", "owner", owner),
            ("-", "owner", owner),
            ("admin", "viewer", others),
            ("admin", "-", others),
            ("member", "admin", others),
            ("viewer", "member", others),
            ("viewer", "-", others),
            ("-", "admin", others),
            ("-", "viewer", others),
        ];
        for (from, to, letters) in table {
            for (role, letter) in Role::ALL.into_iter().zip(letters.chars()) {
                let may = role.may_turn(from.parse().ok(), to.parse().ok());
                assert_eq!(may, letter != '-', "{role}: {from} to {to}");
            }
        }
        assert_eq!(
            Role::ALL.map(Role::deletes_workspace),
            [true, false, false, false]
        );
    }

    #[test]
    fn a_wildcard_leaves_what_the_role_permits_of_its_family() {
        let all: ScopeSet = ["keys:*", "audit:*", "certificates:*", "agents:report"]
            .map(scope)
            .into_iter()
            .collect();
        let left = |role| {
            let left = all.permitted_to(role);
            left.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left(Role::Admin), "agents:report audit:* certificates:* keys:*");
        assert_eq!(
            left(Role::Member),
            "agents:report certificates:* keys:read keys:write"
        );
        assert_eq!(left(Role::Viewer), "certificates:read");
    }
}
