//! The relying party of WebAuthn: what browsers are asked, and what their answers are worth.
//!
//! It stands behind the port [`RelyingParty`] and apart from the flows, so that programs without passkeys do not build the
//! library that it is made of.
//!
//! The library draws challenges from the operating system's random source and reads the machine's clock, and can be handed no
//! other. So the flows keep the time of a challenge by their own clock; the library's five minutes only stand behind it.

mod origin;
mod settings;

use serde_json::Error as JsonError;
use tigertrust_accounts::passkeys::{
    Backup, Ceremony, CeremonyError, CeremonyKind, ChallengeDigest, Passkey, PasskeyCredential, RelyingParty,
    RelyingPartySettings, UncheckedAnswer,
};
use tigertrust_model::User;
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication16, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, NonDiscoverableAuthentication16,
    NonDiscoverableAuthenticationServerState, NonDiscoverableCredentialRequestOptions,
    PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
    bin::{Decode, Encode},
    request::{
        Credentials as _, ExtensionInfo, PublicKeyCredentialDescriptor, RpId, UserVerificationRequirement,
        auth::{AllowedCredentials, AuthenticationVerificationOptions},
        register::{
            CredProtect, Nickname, PublicKeyCredentialUserEntity, RegistrationVerificationOptions,
            UserHandle16, Username,
        },
    },
    response::{
        AuthTransports, AuthenticatorAttachment, Backup as LibraryBackup, CredentialId, SentChallenge,
        auth::error::AuthCeremonyErr,
        register::{CompressedPubKey, DynamicState, StaticState},
    },
};
use zeroize::Zeroizing;

use self::origin::AllowedOrigin;
pub use self::settings::SettingsError;

/// The keys of all algorithms: Ed25519, P-256, P-384 and RSA.
type PublicKey = CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>;

/// The relying party, for one domain and the origins of its pages.
#[derive(Debug)]
pub struct WebAuthn {
    rp_id: RpId,
    origins: Vec<AllowedOrigin>,
}

impl WebAuthn {
    /// A relying party.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(settings: &RelyingPartySettings) -> Result<Self, SettingsError> {
        Ok(Self {
            rp_id: settings::rp_id(&settings.id)?,
            origins: settings::origins(settings)?,
        })
    }

    fn check_assertion(&self) -> AuthenticationVerificationOptions<'_, '_, AllowedOrigin, &'static str> {
        AuthenticationVerificationOptions {
            allowed_origins: &self.origins,
            // Browsers and authenticators may say more than they were asked.
            error_on_unsolicited_extensions: false,
            ..AuthenticationVerificationOptions::default()
        }
    }
}

impl RelyingParty for WebAuthn {
    fn begin_registration(&self, user: &User, known: &[Passkey]) -> Result<Ceremony, CeremonyError> {
        let handle = UserHandle16::from(*user.id.as_uuid().as_bytes());
        let id = user.id.to_string();
        // Both are for the person's eyes alone; what the profiles of RFC 8265 and 8266 do not allow is left out.
        let name = Username::try_from(user.email.as_str())
            .or_else(|_| Username::try_from(id.as_str()))
            .map_err(unreadable)?;
        let display_name = user
            .name
            .as_deref()
            .and_then(|name| Nickname::try_from(name).ok());
        let entity = PublicKeyCredentialUserEntity {
            name,
            id: &handle,
            display_name,
        };
        let known = known.iter().map(descriptor).collect::<Result<_, _>>()?;
        // Discoverable, and with the person verified: so that every passkey can sign in by itself.
        let mut options = PublicKeyCredentialCreationOptions::passkey(&self.rp_id, entity, known);
        // Wished for and not demanded: many authenticators know no such protection, and browsers would refuse them all.
        options.extensions.cred_protect =
            CredProtect::UserVerificationRequired(ExtensionInfo::AllowDontEnforceValue);
        let challenge = digest(options.challenge.as_data());
        let (state, client) = options.start_ceremony().map_err(unreadable)?;
        ceremony(
            challenge,
            state.encode().map_err(unreadable)?,
            serde_json::to_string(&client),
        )
    }

    fn begin_login(&self) -> Result<Ceremony, CeremonyError> {
        let options = DiscoverableCredentialRequestOptions::passkey(&self.rp_id);
        let challenge = digest(options.0.challenge.as_data());
        let (state, client) = options.start_ceremony().map_err(unreadable)?;
        ceremony(
            challenge,
            state.encode().map_err(unreadable)?,
            serde_json::to_string(&client),
        )
    }

    fn begin_second_factor(&self, known: &[Passkey]) -> Result<Ceremony, CeremonyError> {
        let mut allowed = AllowedCredentials::with_capacity(known.len());
        for passkey in known {
            allowed.push(descriptor(passkey)?.into());
        }
        let mut options = NonDiscoverableCredentialRequestOptions::second_factor(&self.rp_id, allowed)
            .map_err(unreadable)?;
        // Not needed beside a password; but an authenticator may keep to itself what was made with the person verified.
        options.options().user_verification = UserVerificationRequirement::Preferred;
        let challenge = digest(options.options().challenge.as_data());
        let (state, client) = options.start_ceremony().map_err(unreadable)?;
        ceremony(
            challenge,
            state.encode().map_err(unreadable)?,
            serde_json::to_string(&client),
        )
    }

    fn read(&self, kind: CeremonyKind, answer: &[u8]) -> Result<UncheckedAnswer, CeremonyError> {
        let (SentChallenge(challenge), credential_id) = match kind {
            CeremonyKind::Registration => {
                let answer = Registration::from_json_relaxed(answer).map_err(malformed)?;
                (answer.challenge_relaxed().map_err(malformed)?, Vec::new())
            }
            CeremonyKind::Login => {
                let answer = DiscoverableAuthentication16::from_json_relaxed(answer).map_err(malformed)?;
                let id = answer.raw_id().as_ref().to_vec();
                (answer.challenge_relaxed().map_err(malformed)?, id)
            }
            CeremonyKind::SecondFactor => {
                let answer = NonDiscoverableAuthentication16::from_json_relaxed(answer).map_err(malformed)?;
                let id = answer.raw_id().as_ref().to_vec();
                (answer.challenge_relaxed().map_err(malformed)?, id)
            }
        };
        Ok(UncheckedAnswer {
            challenge: digest(challenge),
            credential_id,
        })
    }

    fn finish_registration(&self, state: &[u8], answer: &[u8]) -> Result<PasskeyCredential, CeremonyError> {
        let answer = Registration::from_json_relaxed(answer).map_err(malformed)?;
        let state =
            RegistrationServerState::<16>::decode(state).map_err(|error| unreadable(error.to_string()))?;
        let options = RegistrationVerificationOptions::<'_, '_, AllowedOrigin, &'static str> {
            allowed_origins: &self.origins,
            error_on_unsolicited_extensions: false,
            ..RegistrationVerificationOptions::default()
        };
        let registered = state
            .verify(&self.rp_id, &answer, &options)
            .map_err(|error| CeremonyError::Refused(error.to_string()))?;
        let dynamic = registered.dynamic_state();
        let Ok(public_key) = registered.static_state().encode();
        let Ok(transports) = registered.transports().encode();
        Ok(PasskeyCredential {
            credential_id: registered.id().as_ref().to_vec(),
            public_key,
            transports,
            sign_count: dynamic.sign_count,
            backup: from_library(dynamic.backup),
        })
    }

    fn finish_assertion(
        &self,
        kind: CeremonyKind,
        state: &[u8],
        answer: &[u8],
        passkey: &Passkey,
    ) -> Result<PasskeyCredential, CeremonyError> {
        let handle = UserHandle16::from(*passkey.user.as_uuid().as_bytes());
        let known = &passkey.credential;
        let mut credential = AuthenticatedCredential::new(
            CredentialId::try_from(known.credential_id.as_slice()).map_err(unreadable)?,
            &handle,
            StaticState::<PublicKey>::decode(&known.public_key).map_err(unreadable)?,
            DynamicState {
                // None was registered without.
                user_verified: true,
                backup: to_library(known.backup),
                sign_count: known.sign_count,
                authenticator_attachment: AuthenticatorAttachment::None,
            },
        )
        .map_err(unreadable)?;
        let verified = if kind == CeremonyKind::Login {
            let answer = DiscoverableAuthentication16::from_json_relaxed(answer).map_err(malformed)?;
            DiscoverableAuthenticationServerState::decode(state)
                .map_err(unreadable)?
                .verify(&self.rp_id, &answer, &mut credential, &self.check_assertion())
        } else {
            let answer = NonDiscoverableAuthentication16::from_json_relaxed(answer).map_err(malformed)?;
            NonDiscoverableAuthenticationServerState::decode(state)
                .map_err(unreadable)?
                .verify(&self.rp_id, &answer, &mut credential, &self.check_assertion())
        };
        verified.map_err(|error| match error {
            AuthCeremonyErr::SignatureCounter => CeremonyError::CounterWentBack,
            error => CeremonyError::Refused(error.to_string()),
        })?;
        let dynamic = credential.dynamic_state();
        Ok(PasskeyCredential {
            sign_count: dynamic.sign_count,
            backup: from_library(dynamic.backup),
            ..known.clone()
        })
    }
}

fn ceremony(
    challenge: ChallengeDigest,
    state: Vec<u8>,
    options: Result<String, JsonError>,
) -> Result<Ceremony, CeremonyError> {
    Ok(Ceremony {
        challenge,
        state: Zeroizing::new(state),
        options: options.map_err(unreadable)?,
    })
}

fn descriptor(passkey: &Passkey) -> Result<PublicKeyCredentialDescriptor<Vec<u8>>, CeremonyError> {
    let credential = &passkey.credential;
    Ok(PublicKeyCredentialDescriptor {
        id: CredentialId::try_from(credential.credential_id.clone()).map_err(unreadable)?,
        transports: AuthTransports::decode(credential.transports).map_err(unreadable)?,
    })
}

fn digest(challenge: u128) -> ChallengeDigest {
    ChallengeDigest::of(&challenge.to_le_bytes())
}

const fn from_library(backup: LibraryBackup) -> Backup {
    match backup {
        LibraryBackup::NotEligible => Backup::NotEligible,
        LibraryBackup::Eligible => Backup::Eligible,
        LibraryBackup::Exists => Backup::Exists,
    }
}

const fn to_library(backup: Backup) -> LibraryBackup {
    match backup {
        Backup::NotEligible => LibraryBackup::NotEligible,
        Backup::Eligible => LibraryBackup::Eligible,
        Backup::Exists => LibraryBackup::Exists,
    }
}

fn malformed(error: JsonError) -> CeremonyError {
    // Without the place, which is one in the re-written text.
    CeremonyError::Malformed(error.to_string())
}

fn unreadable(error: impl ToString) -> CeremonyError {
    CeremonyError::Unreadable(error.to_string())
}
