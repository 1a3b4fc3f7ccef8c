//! Why nothing was sent, or no answer came.

/// Why nothing was sent, or no answer came. No message repeats the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// It is no address at all.
    #[error("the address is not a URL")]
    NoUrl,
    /// Credentials do not belong into an address.
    #[error("the address has a user name or a password in it")]
    Credentials,
    /// Such as `file:`.
    #[error("the address names no host")]
    NoHost,
    /// Without TLS anybody on the way could answer.
    #[error("the address has to be spoken to by https")]
    NoTls,
    /// What the address is, or its name stands for, is not to be spoken to.
    #[error("the address is not public")]
    NotPublic,
    /// There is no connection.
    #[error("the address cannot be reached")]
    Unreachable,
    /// The deadline is over.
    #[error("no answer came in time")]
    TooSlow,
    /// More would be read than anybody needs.
    #[error("the answer is longer than 256 KiB")]
    TooLong,
    /// The connection ended within the answer.
    #[error("the answer broke off")]
    BrokenOff,
    /// There can be no client on this system.
    #[error("no version of TLS can be spoken")]
    NoTlsVersion,
}

impl OutboundError {
    /// Whether the address itself is what stands against it, so that it is of no use to try again.
    #[must_use]
    pub const fn is_of_the_address(self) -> bool {
        matches!(
            self,
            Self::NoUrl | Self::Credentials | Self::NoHost | Self::NoTls | Self::NotPublic
        )
    }
}
