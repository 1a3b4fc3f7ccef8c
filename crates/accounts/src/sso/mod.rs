//! Single sign-on: people who sign in with what their company has.

mod connection;
mod connections;
mod domain;
mod domains;
mod error;
mod flows;
mod identities;
mod identity;
mod ports;
mod provider;
mod scim;
mod sign_in;

pub use self::{
    connection::{
        Assigned, Connection, GroupRole, Protocol, ProviderSettings, SamlConnection, ServerScope, SsoPolicy,
        StoredConnection,
    },
    connections::{ConnectionChanges, MetadataSource, NewConnection, NewProvider, NewSaml, ProbeReport},
    domain::{Domain, normalize_domain},
    domains::DomainChanges,
    error::SsoError,
    flows::{ConfiguredConnection, SsoFlows, SsoParts},
    identity::VerifiedIdentity,
    ports::{
        AddressCounts, Arrival, ArrivalRefusal, Arrived, ConnectionEdit, ConnectionStore, DomainEdit,
        DomainSignIn, DomainStore, Identity, MAX_CONNECTIONS, MAX_DOMAINS, ProviderLogout, ReplayId,
        ScimEdit, ScimFilter, ScimStore, ScimUser, SsoRequest, SsoSignInStore, SsoStore, TakenOnce,
    },
    provider::{
        ClientSecret, DomainRecords, LogoutToken, OidcCallback, OidcPreset, OidcRelyingParty, OidcRequest,
        OidcSettings, ProviderDocuments, ProviderError, SamlAssertion, SamlAttributes, SamlCertificate,
        SamlIdentityProvider, SamlServiceProvider, SamlSettings, SamlSigningKey,
    },
    scim::{ScimPerson, ScimWriter},
    sign_in::{BegunSso, Discovery, SsoAnswer, SsoReturn, SsoRoute, SsoSignedIn},
};
