//! What stands behind a protected service of the suite: a server, and a client that asks it through a proxy.

use std::time::Duration;

use async_trait::async_trait;
use tigertrust_client::{Client, Entity};
use tigertrust_model::{KeyType, Workspace, WorkspaceId};
use tigertrust_testkit::{
    TestServer, eventually,
    protected::{Adapter, Instance, Issued, Protocol, Wanted},
};

use crate::support::World;

pub(super) struct Behind<'a> {
    world: World<'a>,
    elsewhere: Workspace,
}

impl<'a> Behind<'a> {
    pub(super) async fn new(server: &'a TestServer) -> Self {
        let world = World::follower(server, |builder| builder.staleness(Duration::from_secs(20))).await;
        Self {
            world,
            elsewhere: server.workspace("Elsewhere").await,
        }
    }

    pub(super) fn client(&self) -> Client {
        self.world.client.clone()
    }

    /// How the adapters of the client differ from those that embed.
    pub(super) fn adapter(protocol: Protocol) -> Adapter {
        Adapter {
            // From memory they would tell how the limits stood a while ago.
            tells_limits: false,
            repeats_request_id: false,
            remembers_for: Duration::from_secs(20),
            ..Adapter::of(protocol)
        }
    }
}

#[async_trait]
impl Instance for Behind<'_> {
    fn home(&self) -> WorkspaceId {
        self.world.home.id
    }

    fn elsewhere(&self) -> WorkspaceId {
        self.elsewhere.id
    }

    async fn issue(&self, wanted: Wanted) -> Issued {
        let server = self.world.server;
        wanted
            .issue(
                &server.keys,
                self.home(),
                tigertrust_model::Clock::now(&*server.clock),
            )
            .await
    }

    async fn revoke(&self, key: &Issued) {
        let operator = tigertrust_accounts::Actor::operator();
        let keys = &self.world.server.keys;
        keys.revoke(&operator, key.id, None).await.unwrap();
        self.world.hears_of(Entity::Key(key.id)).await;
    }

    async fn pass(&self, time: Duration) {
        self.world.clock.jump(time);
        self.world.server.clock.advance(time);
        // The server has to hear from its database again before it says anything.
        let probe = self.world.server.key(&self.world.home, KeyType::Agent, &[]).await;
        eventually(200, async || {
            self.world
                .server
                .get("/api/auth/me", &probe)
                .await
                .status
                .as_u16()
        })
        .await;
    }

    async fn stop(&self) {
        self.world.proxy.go_down();
    }
}
