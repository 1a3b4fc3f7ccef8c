//! `tigertrust sso`.

mod connection;
mod domain;

use tigertrust::{TigerTrust, sso::SsoFlows};
use tigertrust_accounts::{FlowError, SignInError, sso::SsoError};
use tigertrust_model::WorkspaceId;

use super::{instance_and_settings, key::only_workspace};
use crate::{
    cli::{Common, InWorkspace, OutputFormat, Sso},
    failure::Failure,
    own_ring::ensure_own,
};

pub async fn run(common: &Common, verb: Sso) -> Result<(), Failure> {
    let (instance, settings) = instance_and_settings(common).await?;
    ensure_own(instance.storage(), settings.keyring.as_ref()).await?;
    let flows = instance.sso(&settings.app)?;
    let flows = flows.ok_or_else(|| Failure::new("this server has no single sign-on"))?;
    let desk = Desk {
        output: common.output,
        instance: &instance,
        flows,
    };
    let done = match verb {
        Sso::Add(what) => desk.add(what).await,
        Sso::List(within) => desk.list(within).await,
        Sso::Show(args) => desk.show(args).await,
        Sso::Test(args) => desk.test(args).await,
        Sso::Enable(args) => desk.set_enabled(args, true).await,
        Sso::Disable(args) => desk.set_enabled(args, false).await,
        Sso::Remove { connection, yes } => desk.remove(connection, yes).await,
        Sso::ScimToken { connection, revoke } => desk.scim_token(connection, revoke).await,
        Sso::Domain(verb) => desk.domain(verb).await,
    };
    instance.close().await;
    done
}

/// What every command here works with.
struct Desk<'a> {
    output: OutputFormat,
    instance: &'a TigerTrust,
    flows: SsoFlows,
}

impl Desk<'_> {
    async fn workspace(&self, within: InWorkspace) -> Result<WorkspaceId, Failure> {
        match within.workspace {
            Some(workspace) => Ok(workspace),
            None => only_workspace(self.instance).await,
        }
    }
}

/// The failure, with these words for what is not there.
fn missing(error: SsoError, what: impl FnOnce() -> String) -> Failure {
    match error {
        SsoError::SignIn(SignInError::Flow(FlowError::NotFound)) => Failure::new(what()),
        other => other.into(),
    }
}

fn no_workspace(workspace: WorkspaceId, error: SsoError) -> Failure {
    missing(error, || format!("there is no workspace {workspace}"))
}
