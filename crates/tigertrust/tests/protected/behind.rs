//! What stands behind the services: an instance over a database of its own, whose time the test says.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tigertrust::{
    Actor, Clock, KeyTypes, OsRandom, Password, Permit, Plan, TigerTrust, WorkspaceId, WorkspaceNeed, needs,
    rate_limit::{Limits, PlanLimits, Plans, Quota, Quotas},
};
use tigertrust_testkit::{
    Engine, TestClock, ThrowawayDatabase, eventually,
    protected::{Instance, Issued, Wanted},
};

pub const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const MAX_STALENESS: Duration = Duration::from_secs(5);

needs! {
    pub struct Anyone { workspace: WorkspaceNeed::Optional }
    pub struct Read { scope: "certificates:read" }
    pub struct Write { scope: "certificates:write", types: KeyTypes::AGENT }
    pub struct Seen {}
}

/// What a handler saw of the permit.
pub fn seen(permit: &Permit) -> Value {
    let mut scopes: Vec<String> = permit.scopes().iter().map(ToString::to_string).collect();
    scopes.sort();
    json!({
        "key": permit.key().key.id.to_string(),
        "type": permit.key().key.kind.as_str(),
        "workspace": permit.workspace().map(|workspace| workspace.id.to_string()),
        "scopes": scopes,
    })
}

pub struct Behind {
    pub auth: TigerTrust,
    pub clock: Arc<TestClock>,
    home: WorkspaceId,
    elsewhere: WorkspaceId,
    /// It is gone with this.
    pub database: ThrowawayDatabase,
}

impl Behind {
    pub async fn start() -> Self {
        let database = ThrowawayDatabase::create(Engine::Sqlite).await;
        let clock = Arc::new(TestClock::default());
        let many = Quotas::per_minute_and_hour(1_000, 10_000);
        let auth = TigerTrust::builder()
            .database_url(database.url().clone())
            .pepper("test", PEPPER)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .max_staleness(MAX_STALENESS)
            .limits(Limits {
                plans: Plans::default().with([(Plan::free(), PlanLimits::from(many))]),
                failures: Quota::per_minute(1_000),
                ..Limits::default()
            })
            .build()
            .await
            .unwrap();
        eventually(true, async || auth.is_fresh()).await;
        let password = Password::generate(&OsRandom).unwrap();
        let email = "owner@example.com".parse().unwrap();
        let first = auth.bootstrap(email, password).await.unwrap().unwrap();
        let elsewhere = auth
            .workspaces()
            .create("Elsewhere".to_owned(), Plan::free(), first.user.id)
            .await
            .unwrap();
        Self {
            auth,
            clock,
            home: first.workspace.id,
            elsewhere: elsewhere.id,
            database,
        }
    }
}

#[tigertrust::ports::async_trait]
impl Instance for Behind {
    fn home(&self) -> WorkspaceId {
        self.home
    }

    fn elsewhere(&self) -> WorkspaceId {
        self.elsewhere
    }

    async fn issue(&self, wanted: Wanted) -> Issued {
        wanted.issue(self.auth.keys(), self.home, self.clock.now()).await
    }

    async fn revoke(&self, key: &Issued) {
        self.auth
            .keys()
            .revoke(&Actor::operator(), key.id, None)
            .await
            .unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    async fn stop(&self) {
        self.auth.close().await;
    }
}
