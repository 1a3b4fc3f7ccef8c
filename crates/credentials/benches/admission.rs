//! What a known key costs: reading it, its digest, and the whole way to a permit, over a store that is asked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark may stop at once"
)]

use std::{hint::black_box, sync::Arc, time::Duration};

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use tigertrust_credentials::{
    Admission, CacheSettings, ChangeTracker, HeaderValues, KeyDigest, KeyFormats, KeySecret, Need, OsRandom,
    ParsedKey, Pepper, PepperRing, Presented, RateLimits, SystemClock,
    ports::{ChangeListener, CredentialStore, KeyRecord, StoreError},
    rate_limit::{Limits, Plans, Quota, Quotas, RateLimiter},
};
use tigertrust_model::{
    ApiKey, Clock, Creator, KeyId, KeyLimits, KeyReach, KeyType, Lifecycle, Metadata, Plan, Scope, Workspace,
    WorkspaceId,
};
use uuid::Uuid;

const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Knows one key, whatever it is asked for.
struct OneKey(KeyRecord);

#[async_trait]
impl CredentialStore for OneKey {
    async fn find_key(&self, _: &[KeyDigest]) -> Result<Option<KeyRecord>, StoreError> {
        Ok(Some(self.0.clone()))
    }

    async fn find_workspace(&self, _: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        Ok(None)
    }
}

fn record(secret: &KeySecret, clock: &SystemClock) -> KeyRecord {
    let now = clock.now();
    let home = Workspace {
        id: WorkspaceId::from_uuid(Uuid::from_u128(1)),
        name: "Home".to_owned(),
        plan: Plan::free(),
        requires_second_factor: false,
        leak_response: None,
        created_at: now,
        deleted_at: None,
    };
    let scopes = ["certificates:read", "certificates:write", "agents:report"];
    KeyRecord {
        key: ApiKey {
            id: KeyId::from_uuid(Uuid::from_u128(2)),
            kind: KeyType::Agent,
            name: "bench".to_owned(),
            reach: KeyReach::workspaces(home.id, []),
            owner: None,
            scopes: scopes.iter().map(|text| text.parse::<Scope>().unwrap()).collect(),
            lifecycle: Lifecycle::Active,
            expires_at: None,
            allowed_cidrs: Vec::new(),
            limits: KeyLimits::default(),
            external_id: None,
            metadata: Metadata::default(),
            display: secret.parsed().display(),
            created_by: Creator::Operator,
            created_at: now,
            updated_at: now,
            leak_reported_at: None,
        },
        secret_digest: KeyDigest::from_bytes([0; 32]),
        secret_ends_at: None,
        workspaces: vec![home],
        owner: None,
    }
}

/// Both windows are asked, and have room for as long as this runs.
fn limits(clock: &Arc<dyn Clock>) -> Arc<RateLimits> {
    let quotas = Quotas::per_minute_and_hour(Quota::MAX_LIMIT, Quota::MAX_LIMIT);
    let limits = Limits {
        plans: Plans::default().with([(Plan::free(), quotas.into())]),
        ..Limits::default()
    };
    let limiter = Arc::new(RateLimiter::new(Arc::clone(clock)));
    Arc::new(RateLimits::new(limits, limiter, Arc::clone(clock)))
}

fn admission(criterion: &mut Criterion) {
    let clock = SystemClock::new();
    let secret = KeySecret::generate(KeyType::Agent, &OsRandom).unwrap();
    let pepper = Pepper::new("p1", PEPPER).unwrap();
    let text = secret.reveal().as_bytes();
    let ours = KeyFormats::default();

    criterion.bench_function("parse", |bencher| {
        bencher.iter(|| ParsedKey::read(black_box(text), &ours));
    });
    criterion.bench_function("digest", |bencher| {
        let parsed = secret.parsed();
        bencher.iter(|| pepper.digest(black_box(&parsed)));
    });

    let time: Arc<dyn Clock> = Arc::new(clock);
    // The feed is heard of once, so that the bound must not be met while this runs.
    let tracker = Arc::new(ChangeTracker::new(Arc::clone(&time), Duration::from_secs(86_400)));
    tracker.caught_up(time.monotonic());
    let admission = Admission::new(
        PepperRing::new(vec![pepper]).unwrap(),
        Arc::clone(&time),
        Arc::new(OneKey(record(&secret, &clock))),
        &tracker,
        CacheSettings::default(),
        limits(&time),
    );
    let presented = Presented {
        agent_api_key: HeaderValues::One(text),
        ..Presented::default()
    };
    let need = Need::any_caller();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    criterion.bench_function("admit a cached key", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| admission.admit(black_box(&presented), black_box(&need)));
    });
}

criterion_group!(benches, admission);
criterion_main!(benches);
