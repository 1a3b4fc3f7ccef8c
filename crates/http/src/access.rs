//! Who may call an operation.

use actix_web::http::Method;
use tigertrust_credentials::Need;

/// Who may call an operation.
#[derive(Clone, Debug)]
pub enum Access {
    /// Anybody.
    Anonymous,
    /// A caller that fulfils the need.
    Needs(Need),
    /// A caller that fulfils the need, or the very key that the path names as `{id}`, whatever it may do; or a person, for its
    /// own keys.
    NeedsUnlessItself(Need),
    /// A caller that fulfils the need, or a person, for its own keys.
    NeedsUnlessOwnKeys(Need),
    /// A key that fulfils the need, or whoever shows in the body what a trust rule takes in its place. No person who is signed in.
    NeedsUnlessVouched(Need),
    /// A key that fulfils the need, or any person who is signed in.
    NeedsUnlessPerson(Need),
    /// A person who is signed in.
    People,
    /// A person who is signed in, be it in a session that reaches one workspace alone.
    PeopleAnywhere,
    /// A person who is signed in, also one whose session has called too often.
    PeopleUncounted,
    /// A caller that fulfils the need in the workspace that the path names as `{id}`.
    NeedsInWorkspace(Need),
    /// As [`NeedsInWorkspace`](Self::NeedsInWorkspace), or the very person that the path names as `{userId}`, whatever its
    /// role: its key must hold the scope all the same.
    NeedsInWorkspaceUnlessOneself(Need),
    /// Forward-auth: a caller that fulfils what the query asks for.
    Asked,
}

/// What a person must fulfil to do something with the own account.
static SIGNED_IN: Need = Need::own_account();

/// The same where it reaches beyond any one workspace.
static WHOLLY_SIGNED_IN: Need = Need::whole_account();

impl Access {
    /// What a caller must fulfil, where that stands fast.
    #[must_use]
    pub fn need(&self) -> Option<&Need> {
        match self {
            Self::Needs(need)
            | Self::NeedsUnlessItself(need)
            | Self::NeedsUnlessOwnKeys(need)
            | Self::NeedsUnlessVouched(need)
            | Self::NeedsUnlessPerson(need)
            | Self::NeedsInWorkspace(need)
            | Self::NeedsInWorkspaceUnlessOneself(need) => Some(need),
            Self::People => Some(&WHOLLY_SIGNED_IN),
            Self::PeopleAnywhere | Self::PeopleUncounted => Some(&SIGNED_IN),
            Self::Anonymous | Self::Asked => None,
        }
    }

    /// Whether the path says in which workspace the need is to be fulfilled.
    #[must_use]
    pub const fn is_in_workspace(&self) -> bool {
        matches!(
            self,
            Self::NeedsInWorkspace(_) | Self::NeedsInWorkspaceUnlessOneself(_)
        )
    }

    /// Who may call without fulfilling the need.
    const fn exception(&self) -> Exception {
        match self {
            Self::NeedsUnlessItself(_) => Exception::Itself,
            Self::NeedsUnlessOwnKeys(_) => Exception::OwnKeys,
            Self::NeedsUnlessPerson(_) => Exception::AnyPerson,
            Self::PeopleUncounted => Exception::Uncounted,
            Self::NeedsInWorkspaceUnlessOneself(_) => Exception::Oneself,
            _ => Exception::Nobody,
        }
    }
}

/// What the operations of one path need.
#[derive(Clone)]
pub(crate) struct Needs(Vec<MethodNeed>);

/// What one operation needs.
#[derive(Clone)]
pub(crate) struct MethodNeed {
    method: Option<Method>,
    /// What a caller must fulfil.
    pub(crate) need: Need,
    /// Whether the path says in which workspace.
    pub(crate) is_in_workspace: bool,
    /// Who may call without fulfilling it.
    pub(crate) exception: Exception,
}

impl MethodNeed {
    /// What a method needs where an operation has the access; none where anybody may call it.
    pub(crate) fn of(method: Option<&Method>, access: &Access, is_in_workspace: bool) -> Option<Self> {
        Some(Self {
            method: method.cloned(),
            need: access.need()?.clone(),
            is_in_workspace,
            exception: access.exception(),
        })
    }
}

/// Who may call an operation without fulfilling its need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// No one.
    Nobody,
    /// The key that the path names as `{id}`, and people for their own keys.
    Itself,
    /// People, for their own keys.
    OwnKeys,
    /// Any person who is signed in.
    AnyPerson,
    /// A key of the person that the path names as `{userId}`, if it holds the scope.
    Oneself,
    /// Whoever is signed in, however often the session has called.
    Uncounted,
}

impl Needs {
    pub(crate) const fn new(of_methods: Vec<MethodNeed>) -> Self {
        Self(of_methods)
    }

    pub(crate) fn of(&self, method: &Method) -> Option<&MethodNeed> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.0.iter().find(|own| own.method.as_ref() == Some(method))
    }
}
