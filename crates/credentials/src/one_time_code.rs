//! What stands in the field of a second factor: the code of an app, or a recovery code.

use crate::{RecoveryCode, TotpCode};

/// A code as somebody typed it. The two kinds differ in length, so that one field takes both. `Debug` shows the kind only.
#[derive(Debug, PartialEq, Eq)]
pub enum OneTimeCode {
    /// Six digits out of an authenticator app.
    Totp(TotpCode),
    /// One of the ten codes that were shown when the factor was added.
    Recovery(RecoveryCode),
}

impl OneTimeCode {
    /// Reads a code; `None` for what cannot be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let totp = TotpCode::read(text).map(Self::Totp);
        totp.or_else(|| RecoveryCode::read(text).map(Self::Recovery))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_takes_both_kinds() {
        assert!(matches!(OneTimeCode::read("287 082"), Some(OneTimeCode::Totp(_))));
        assert!(matches!(
            OneTimeCode::read("01234-56789-01234-56789"),
            Some(OneTimeCode::Recovery(_))
        ));
        assert_eq!(OneTimeCode::read("2870821"), None);
    }
}
