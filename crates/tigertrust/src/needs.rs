//! What a route needs of its caller, as a type.

use tigertrust_credentials::{Need, WorkspaceNeed};
use tigertrust_model::{KeyTypes, Scope};

/// What a route needs of its caller, as a type: `Permitted`, of `actix` or `tower`, takes it as its parameter.
/// [`needs!`](crate::needs) writes the implementation.
pub trait Needs: 'static {
    /// What is needed.
    fn need() -> &'static Need;
}

/// Names what routes need of their callers: a type for each, which implements [`Needs`](crate::Needs).
///
/// A caller needs a key of any type and a workspace to act in, which is the key's own where the request names none, and
/// beyond that what stands between the braces:
///
/// - `scope: "family:action"`: the scope that the key must hold. What is not written as a scope does not compile.
/// - `types: KeyTypes::AGENT`: the types of key that may call.
/// - `workspace: WorkspaceNeed::Optional`: an instance key may leave the workspace open.
///
/// ```
/// use tigertrust::{KeyTypes, Needs, WorkspaceNeed, needs};
///
/// needs! {
///     /// May read invoices.
///     pub struct ReadInvoices { scope: "invoices:read" }
///
///     /// An agent key with the scope.
///     struct SendInvoices { scope: "invoices:send", types: KeyTypes::AGENT }
///
///     /// Any valid key.
///     struct AnyCaller { workspace: WorkspaceNeed::Optional }
/// }
///
/// assert!(SendInvoices::need().scope.is_some());
/// assert_eq!(SendInvoices::need().types, KeyTypes::AGENT);
/// ```
///
/// ```compile_fail
/// tigertrust::needs! {
///     struct Mistyped { scope: "invoices.read" }
/// }
/// ```
#[macro_export]
macro_rules! needs {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident : $value:expr),* $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        impl $crate::Needs for $name {
            fn need() -> &'static $crate::Need {
                static NEED: ::std::sync::LazyLock<$crate::Need> = ::std::sync::LazyLock::new(|| {
                    #[allow(unused_mut, reason = "it may be all that is needed")]
                    let mut need = $crate::need_in_workspace();
                    $($crate::needs!(@set need $field $value);)*
                    need
                });
                &NEED
            }
        }
    )+};
    (@set $need:ident scope $value:expr) => {
        // Told when the route is compiled, and not when the first caller is refused.
        const _: () = assert!(
            $crate::is_scope($value),
            "a scope is written as family:action, out of a-z, 0-9, - and _"
        );
        $need = $crate::need_of_scope($need, $value);
    };
    (@set $need:ident types $value:expr) => {
        $need.types = $value;
    };
    (@set $need:ident workspace $value:expr) => {
        $need.workspace = $value;
    };
}

/// What [`needs!`](crate::needs) begins with.
#[doc(hidden)]
#[must_use]
pub fn need_in_workspace() -> Need {
    Need {
        workspace: WorkspaceNeed::Required,
        ..Need::any_caller()
    }
}

/// The need with a scope.
#[doc(hidden)]
#[must_use]
pub fn need_of_scope(need: Need, scope: &'static str) -> Need {
    match scope.parse::<Scope>() {
        Ok(scope) => Need {
            scope: Some(scope),
            ..need
        },
        // The macro has compiled only what parses; if that were ever wrong, nobody would get in.
        Err(_) => Need {
            types: KeyTypes::from_iter([]),
            ..need
        },
    }
}

/// Whether the text is a scope, at compile time.
#[doc(hidden)]
#[must_use]
pub const fn is_scope(text: &str) -> bool {
    let mut rest = text.as_bytes();
    if rest.len() > 64 {
        return false;
    }
    let mut word_begins = true;
    let mut colons = 0;
    while let [first, after @ ..] = rest {
        match first {
            b'a'..=b'z' => word_begins = false,
            b'0'..=b'9' | b'-' | b'_' if !word_begins => {}
            b':' if !word_begins && colons == 0 => {
                colons = 1;
                word_begins = true;
            }
            b'*' if word_begins && colons == 1 => return after.is_empty(),
            _ => return false,
        }
        rest = after;
    }
    colons == 1 && !word_begins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_and_the_parser_agree_on_what_a_scope_is() {
        let long = format!("a:{}", "b".repeat(62));
        let too_long = format!("a:{}", "b".repeat(63));
        for text in [
            "invoices:read",
            "a:b",
            "a1-_:b2-_",
            "keys:*",
            "",
            ":",
            "a",
            "a:",
            ":a",
            "a:b:c",
            "a:*b",
            "a*:b",
            "*:*",
            "a:**",
            "1a:b",
            "a:1b",
            "-a:b",
            "A:b",
            "a:B",
            "a :b",
            "é:b",
            &long,
            &too_long,
        ] {
            assert_eq!(is_scope(text), text.parse::<Scope>().is_ok(), "{text}");
        }
    }
}
