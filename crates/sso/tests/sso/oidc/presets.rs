//! The providers that have ways of their own, as oidc-provider plays them.

use std::sync::Arc;

use serde_json::{Value, json};
use tigertrust_accounts::sso::{
    ClientSecret, OidcPreset, OidcRelyingParty, OidcSettings, ProviderError, VerifiedIdentity,
};
use tigertrust_sso::oidc::RelyingParty;
use tigertrust_testkit::{ProviderBrowser, TestClock, ThrowawayProvider};

use super::{callback, client, refused, relying_party, request, settings, sign_in};

fn provider(issuers: &Value, accounts: &Value) -> (ThrowawayProvider, RelyingParty) {
    let provider = ThrowawayProvider::start(&json!({
        "issuers": issuers,
        "accounts": accounts,
        "clients": [client()],
    }));
    (provider, relying_party(&Arc::new(TestClock::default())))
}

#[tokio::test]
async fn google_is_asked_for_a_domain_and_has_to_name_it() {
    let (provider, party) = provider(
        &json!([{}]),
        &json!({
            "ada": { "sub": "1", "email": "ada@acme.example", "email_verified": true, "name": "Ada", "hd": "acme.example" },
            "eve": { "email": "eve@other.example", "email_verified": true, "hd": "other.example" },
            "bob": { "email": "bob@acme.example", "email_verified": true },
        }),
    );
    let all = settings(OidcPreset::Google, provider.origin().to_owned());
    let acme = OidcSettings {
        allowed_domains: vec!["acme.example".to_owned()],
        ..all.clone()
    };

    for (settings, hint) in [(&all, "&hd=*"), (&acme, "&hd=acme.example")] {
        let url = party.begin(settings, &request()).await.unwrap();
        assert!(url.replace("%2A", "*").contains(hint), "{url}");
    }
    let ada = VerifiedIdentity {
        issuer: provider.origin().to_owned(),
        subject: "1".to_owned(),
        email: Some("ada@acme.example".to_owned()),
        email_verified: true,
        name: Some("Ada".to_owned()),
        groups: Vec::new(),
        second_factor: false,
        provider_session: None,
    };
    assert!(sign_in(&party, &acme, "ada").await.unwrap() == ada);
    assert!(sign_in(&party, &all, "eve").await.is_ok());
    let foreign = refused("the account's domain may not sign in here");
    assert_eq!(sign_in(&party, &acme, "eve").await, foreign);
    for settings in [&all, &acme] {
        let personal = refused("the account is of no Google Workspace domain");
        assert_eq!(
            sign_in(&party, settings, "bob").await,
            personal,
            "his address alone is not enough"
        );
    }
}

fn azure_accounts() -> Value {
    json!({
        "ada": { "tid": "acme", "oid": "of ada", "sub": "pairwise", "preferred_username": "ada@acme.example", "amr": ["pwd", "mfa"] },
        "eve": { "tid": "evil", "oid": "of ada", "preferred_username": "ada@acme.example" },
    })
}

#[tokio::test]
async fn a_tenant_of_azure_has_an_issuer_of_its_own() {
    let (provider, party) = provider(&json!([{ "path": "/acme/v2.0" }]), &azure_accounts());
    let issuer = format!("{}/acme/v2.0", provider.origin());
    let own = settings(OidcPreset::Azure, issuer.clone());
    let identity = sign_in(&party, &own, "ada").await.unwrap();
    assert_eq!((identity.issuer, identity.subject), (issuer, "of ada".to_owned()));
    assert_eq!(
        (identity.email.as_deref(), identity.email_verified),
        (Some("ada@acme.example"), false)
    );
    assert!(identity.second_factor);

    let narrowed = OidcSettings {
        tenants: vec!["acme".to_owned()],
        ..own
    };
    assert!(sign_in(&party, &narrowed, "ada").await.is_ok());
    assert_eq!(
        sign_in(&party, &narrowed, "eve").await,
        refused("the tenant may not sign in here")
    );
}

#[tokio::test]
async fn common_is_for_the_tenants_that_are_named() {
    let (provider, party) = provider(
        &json!([{ "path": "/common/v2.0", "tenants": true }, { "path": "/organizations/v2.0", "tenants": true }]),
        &azure_accounts(),
    );
    for path in ["common", "organizations"] {
        let nobody = settings(OidcPreset::Azure, format!("{}/{path}/v2.0", provider.origin()));
        let acme = OidcSettings {
            tenants: vec!["ACME".to_owned(), "other".to_owned()],
            ..nobody.clone()
        };
        party.probe(&acme).await.unwrap();
        assert!(matches!(
            party.probe(&nobody).await,
            Err(ProviderError::Settings(_))
        ));

        let identity = sign_in(&party, &acme, "ada").await.unwrap();
        let issuer = format!("{}/acme/v2.0", provider.origin());
        assert_eq!((identity.issuer, identity.subject), (issuer, "of ada".to_owned()));
        assert_eq!(
            sign_in(&party, &acme, "eve").await,
            refused("the token is of another issuer")
        );

        let evil = OidcSettings {
            tenants: vec!["evil".to_owned()],
            ..acme.clone()
        };
        assert!(sign_in(&party, &evil, "eve").await.is_ok());
        assert!(sign_in(&party, &evil, "ada").await.is_err());

        let custom = OidcSettings {
            preset: OidcPreset::Custom,
            ..acme
        };
        assert!(matches!(
            party.probe(&custom).await,
            Err(ProviderError::Settings(_))
        ));
    }
}

#[tokio::test]
async fn okta_has_authorization_servers_and_groups() {
    let (provider, party) = provider(
        &json!([{}, { "path": "/oauth2/default" }]),
        &json!({
            "ada": { "email": "ada@acme.example", "email_verified": true, "groups": ["staff", "Everyone"] },
            "bob": { "email": "bob@acme.example", "email_verified": false, "groups": "staff" },
            "eve": { "email": "eve@acme.example", "groups": [1, "staff", null] },
        }),
    );
    for path in ["", "/oauth2/default"] {
        let settings = OidcSettings {
            scopes: ["openid", "email", "groups"].map(str::to_owned).to_vec(),
            groups_claim: Some("groups".to_owned()),
            ..settings(OidcPreset::Okta, format!("{}{path}", provider.origin()))
        };
        let ada = sign_in(&party, &settings, "ada").await.unwrap();
        assert_eq!(ada.groups, ["staff", "Everyone"]);
        assert!(ada.email_verified);
        let bob = sign_in(&party, &settings, "bob").await.unwrap();
        assert_eq!(bob.groups, ["staff"]);
        assert!(!bob.email_verified);
        assert_eq!(sign_in(&party, &settings, "eve").await.unwrap().groups, ["staff"]);
    }
}

#[tokio::test]
async fn what_the_token_leaves_out_is_asked_for() {
    let (provider, party) = provider(
        &json!([{ "path": "/thin", "thin": true }]),
        &json!({ "ada": { "email": "ada@acme.example", "email_verified": true, "name": "Ada" } }),
    );
    let settings = settings(OidcPreset::Custom, format!("{}/thin", provider.origin()));
    let ada = sign_in(&party, &settings, "ada").await.unwrap();
    assert_eq!(ada.email.as_deref(), Some("ada@acme.example"));
    assert_eq!(ada.name.as_deref(), Some("Ada"));
    assert!(ada.email_verified);
}

#[tokio::test]
async fn clients_prove_themselves_as_they_are_registered() {
    let registered = |id: &str, method: &str| {
        let mut client = client();
        client["client_id"] = json!(id);
        client["token_endpoint_auth_method"] = json!(method);
        if method == "none" {
            client.as_object_mut().unwrap().remove("client_secret");
        }
        client
    };
    let provider = ThrowawayProvider::start(&json!({
        "host": "localhost",
        "accounts": { "ada": {} },
        "clients": [registered("basic: a", "client_secret_basic"), registered("public", "none")],
    }));
    let party = relying_party(&Arc::new(TestClock::default()));
    let basic = OidcSettings {
        client_id: "basic: a".to_owned(),
        ..settings(OidcPreset::Custom, provider.origin().to_owned())
    };
    let public = OidcSettings {
        client_id: "public".to_owned(),
        client_secret: None,
        ..basic.clone()
    };
    assert_eq!(sign_in(&party, &basic, "ada").await.unwrap().subject, "ada");
    assert_eq!(sign_in(&party, &public, "ada").await.unwrap().subject, "ada");

    let wrong = OidcSettings {
        client_secret: Some(ClientSecret::new("guessed")),
        ..basic
    };
    let why = "the provider does not accept the client id or its secret";
    assert_eq!(
        sign_in(&party, &wrong, "ada").await,
        Err(ProviderError::Settings(why.to_owned()))
    );
}

#[tokio::test]
async fn a_code_is_good_once_and_for_its_request() {
    let (provider, party) = provider(&json!([{}]), &json!({ "ada": {} }));
    let settings = settings(OidcPreset::Custom, provider.origin().to_owned());
    let begun = request();
    let mut browser = ProviderBrowser::default();

    let mut brought = callback(&party, &settings, &begun, &mut browser, "ada")
        .await
        .unwrap();
    assert_eq!(brought.issuer.as_deref(), Some(provider.origin()), "RFC 9207");
    let issuer = brought.issuer.take();
    assert_eq!(
        party.finish(&settings, &begun, &brought, TestClock::START).await,
        refused("the browser does not say from which provider it comes")
    );
    brought.issuer = issuer;
    assert!(
        party
            .finish(&settings, &begun, &brought, TestClock::START)
            .await
            .is_ok()
    );
    let spent = party.finish(&settings, &begun, &brought, TestClock::START).await;
    assert_eq!(spent, refused("the provider does not accept the code"));

    // The browser is signed in already: there is no form this time.
    let brought = callback(&party, &settings, &begun, &mut browser, "nobody")
        .await
        .unwrap();
    let mut other = request();
    other.nonce = "another".to_owned().into();
    let answered = party.finish(&settings, &other, &brought, TestClock::START).await;
    assert_eq!(answered, refused("the token answers another request"));
}
