//! Why an answer is refused: over HTTP every refusal is the same, so that here it is shown that each has its own reason.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

use serde_json::{Value, json};
use tigertrust_accounts::passkeys::{
    Backup, Ceremony, CeremonyError, CeremonyKind, Passkey, PasskeyCredential, RelyingParty as _,
    RelyingPartySettings,
};
use tigertrust_credentials::OsRandom;
use tigertrust_model::{Clock as _, PasskeyId, User, UserId};
use tigertrust_passkeys::WebAuthn;
use tigertrust_testkit::{Authenticator, TestClock};

fn relying_party() -> WebAuthn {
    WebAuthn::new(&RelyingPartySettings {
        id: "example.com".to_owned(),
        origins: vec!["https://login.example.com".to_owned()],
    })
    .unwrap()
}

fn authenticator() -> Authenticator {
    Authenticator {
        origin: "https://login.example.com".to_owned(),
        ..Authenticator::default()
    }
}

fn person() -> User {
    let now = TestClock::default().now();
    User {
        id: UserId::new(now, &OsRandom).unwrap(),
        email: "jo@example.com".parse().unwrap(),
        name: Some("Jo".to_owned()),
        disabled_at: None,
        created_at: now,
        email_verified_at: None,
    }
}

fn options(ceremony: &Ceremony) -> Value {
    serde_json::from_str(&ceremony.options).unwrap()
}

fn bytes(answer: &Value) -> Vec<u8> {
    answer.to_string().into_bytes()
}

fn register(authenticator: &mut Authenticator) -> Result<PasskeyCredential, CeremonyError> {
    let ceremony = relying_party().begin_registration(&person(), &[]).unwrap();
    let answer = bytes(&authenticator.create(&options(&ceremony)));
    let read = relying_party().read(CeremonyKind::Registration, &answer).unwrap();
    assert_eq!(read.challenge, ceremony.challenge);
    relying_party().finish_registration(&ceremony.state, &answer)
}

/// A passkey of a person, and the authenticator that has it.
fn registered() -> (Passkey, Authenticator) {
    let (user, mut authenticator) = (person(), authenticator());
    let ceremony = relying_party().begin_registration(&user, &[]).unwrap();
    let answer = bytes(&authenticator.create(&options(&ceremony)));
    let credential = relying_party().finish_registration(&ceremony.state, &answer);
    let now = TestClock::default().now();
    let passkey = Passkey {
        id: PasskeyId::new(now, &OsRandom).unwrap(),
        user: user.id,
        name: "Laptop".to_owned(),
        created_at: now,
        last_used_at: None,
        credential: credential.unwrap(),
    };
    (passkey, authenticator)
}

/// A login whose answer is changed on its way.
fn log_in(
    passkey: &Passkey,
    authenticator: &mut Authenticator,
    change: impl FnOnce(&mut Value),
) -> Result<PasskeyCredential, CeremonyError> {
    let ceremony = relying_party().begin_login().unwrap();
    let mut answer = authenticator.get(&options(&ceremony));
    change(&mut answer);
    let answer = bytes(&answer);
    relying_party().finish_assertion(CeremonyKind::Login, &ceremony.state, &answer, passkey)
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, CeremonyError>, reason: &str) {
    match answer {
        Err(CeremonyError::Refused(text)) => assert!(text.contains(reason), "{text:?} for {reason:?}"),
        other => panic!("{other:?} for {reason:?}"),
    }
}

#[test]
fn a_registration_is_refused_for_its_own_reason() {
    let registered = register(&mut authenticator()).unwrap();
    assert_eq!(
        (registered.sign_count, registered.backup),
        (1, Backup::NotEligible)
    );
    let evil = || "https://example.com".to_owned();
    let mut wrong = Authenticator {
        origin: evil(),
        ..authenticator()
    };
    assert_refused(register(&mut wrong), "origin");
    let mut wrong = Authenticator {
        rp_id: Some("login.example.com".to_owned()),
        ..authenticator()
    };
    assert_refused(register(&mut wrong), "RP ID");
    let mut wrong = Authenticator {
        verifies: false,
        ..authenticator()
    };
    assert_refused(register(&mut wrong), "user was not verified");
}

#[test]
fn a_login_is_refused_for_its_own_reason() {
    let (passkey, authenticator) = registered();
    let unchanged = |_: &mut Value| {};
    let signed = log_in(&passkey, &mut authenticator.clone(), unchanged).unwrap();
    assert_eq!(signed.sign_count, 2);
    let mut wrong = Authenticator {
        origin: "https://login.example.com.evil.example".to_owned(),
        ..authenticator.clone()
    };
    assert_refused(log_in(&passkey, &mut wrong, unchanged), "origin");
    let mut wrong = Authenticator {
        rp_id: Some("evil.example".to_owned()),
        ..authenticator.clone()
    };
    assert_refused(log_in(&passkey, &mut wrong, unchanged), "RP ID");
    let mut wrong = Authenticator {
        verifies: false,
        ..authenticator.clone()
    };
    assert_refused(log_in(&passkey, &mut wrong, unchanged), "user was not verified");
    let (_, mut other) = registered();
    let invented = json!({"rpId": "example.com", "challenge": "AAAAAAAAAAAAAAAAAAAAAA"});
    let theirs = other.get(&invented);
    let foreign = log_in(&passkey, &mut authenticator.clone(), |answer| {
        answer["response"]["signature"] = theirs["response"]["signature"].clone();
    });
    assert_refused(foreign, "signature");
    let foreign = log_in(&passkey, &mut other, |answer| {
        answer["response"]["userHandle"] = json!(authenticator.credentials[0].user_handle);
    });
    assert_refused(foreign, "credential");
    let foreign = log_in(&passkey, &mut authenticator.clone(), |answer| {
        answer["response"]["userHandle"] = json!(other.credentials[0].user_handle);
    });
    assert_refused(foreign, "user handle");
    let ceremony = relying_party().begin_login().unwrap();
    let answer = bytes(&authenticator.clone().get(&options(&ceremony)));
    let another = relying_party().begin_login().unwrap();
    let refused = relying_party().finish_assertion(CeremonyKind::Login, &another.state, &answer, &passkey);
    assert_refused(refused, "challenge");
}

#[test]
fn a_counter_that_does_not_go_up_is_told_of() {
    let (mut passkey, mut authenticator) = registered();
    passkey.credential.sign_count = 2;
    let refused = log_in(&passkey, &mut authenticator, |_| {});
    assert_eq!(refused, Err(CeremonyError::CounterWentBack));
    let signed = log_in(&passkey, &mut authenticator, |_| {}).unwrap();
    assert_eq!(signed.sign_count, 3);
}

#[test]
fn the_second_factor_is_one_of_those_that_were_named() {
    let (passkey, mut authenticator) = registered();
    let (other, mut theirs) = registered();
    let ceremony = relying_party()
        .begin_second_factor(std::slice::from_ref(&passkey))
        .unwrap();
    authenticator.verifies = false;
    let answer = bytes(&authenticator.get(&options(&ceremony)));
    let kind = CeremonyKind::SecondFactor;
    let accepted = relying_party().finish_assertion(kind, &ceremony.state, &answer, &passkey);
    assert_eq!(accepted.unwrap().sign_count, 2);
    let answer = bytes(&theirs.get(&options(&ceremony)));
    let refused = relying_party().finish_assertion(kind, &ceremony.state, &answer, &other);
    assert_refused(refused, "credential");
}

#[test]
fn an_address_that_a_profile_does_not_allow_is_no_obstacle() {
    let user = User {
        email: "\u{1f600}@example.com".parse().unwrap(),
        name: Some(" ".to_owned()),
        ..person()
    };
    let ceremony = relying_party().begin_registration(&user, &[]).unwrap();
    let entity = options(&ceremony)["user"].clone();
    assert_eq!(entity["name"], user.id.to_string());
}
