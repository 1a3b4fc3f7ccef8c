//! Domains whose people a workspace vouches for.

use tigertrust_accounts::{
    Actor,
    sso::{DomainChanges, SsoError},
};
use tigertrust_model::{Role, WorkspaceId};
use tigertrust_wire::{Domain as Body, Page};

use super::{super::user::find_person, Desk, missing, no_workspace};
use crate::{
    cli::{DomainChangesArgs, InWorkspace, SsoDomain},
    failure::Failure,
    output,
};

impl Desk<'_> {
    pub(super) async fn domain(&self, verb: SsoDomain) -> Result<(), Failure> {
        let flows = &self.flows;
        let (name, workspace, done) = match verb {
            SsoDomain::List(within) => return self.list_domains(within).await,
            SsoDomain::Add(args) => {
                let workspace = self.workspace(args.within).await?;
                let claimed = flows
                    .claim_domain(&Actor::operator(), workspace, &args.domain)
                    .await;
                let claimed = claimed.map_err(|error| no_workspace(workspace, error))?;
                return output::print(self.output, &Body::from(&claimed), describe);
            }
            SsoDomain::Verify { domain: args, trust } => {
                let workspace = self.workspace(args.within).await?;
                let verified = if trust {
                    flows
                        .vouch_for_domain(&Actor::operator(), workspace, &args.domain)
                        .await
                } else {
                    flows
                        .verify_domain(&Actor::operator(), workspace, &args.domain)
                        .await
                };
                (args.domain, workspace, verified)
            }
            SsoDomain::Set {
                domain: args,
                changes,
            } => {
                let workspace = self.workspace(args.within).await?;
                let changes = self.changes(changes).await?;
                let changed = flows
                    .update_domain(&Actor::operator(), workspace, &args.domain, changes)
                    .await;
                (args.domain, workspace, changed)
            }
            SsoDomain::Remove { domain: args, yes } => {
                let workspace = self.workspace(args.within).await?;
                let known = flows.list_domains(&Actor::operator(), workspace).await?;
                let is_enforced = known
                    .iter()
                    .any(|known| known.domain == args.domain && known.enforced.is_some());
                if is_enforced && !yes {
                    return Err(Failure::new(format!(
                        "people of {} have to sign in by its provider, and would not have to any more. Add --yes to do it",
                        args.domain
                    )));
                }
                let removed = flows
                    .remove_domain(&Actor::operator(), workspace, &args.domain)
                    .await;
                removed.map_err(|error| unknown(workspace, &args.domain, error))?;
                return output::print(self.output, &(), |()| {
                    format!("{} is no domain of {workspace} any more.", args.domain)
                });
            }
        };
        let domain = done.map_err(|error| unknown(workspace, &name, error))?;
        output::print(self.output, &Body::from(&domain), describe)
    }

    async fn list_domains(&self, within: InWorkspace) -> Result<(), Failure> {
        let workspace = self.workspace(within).await?;
        let domains = self.flows.list_domains(&Actor::operator(), workspace).await?;
        let body = Page::whole(domains.iter().map(Body::from).collect());
        output::print(self.output, &body, |body| {
            let rows = body.items.iter().map(|domain| {
                [
                    domain.domain.clone(),
                    state(domain).to_owned(),
                    domain.connection_id.clone().unwrap_or_default(),
                    if domain.enforced { "yes" } else { "no" }.to_owned(),
                    domain
                        .join_role
                        .map_or_else(String::new, |role| Role::from(role).to_string()),
                ]
            });
            output::table(["DOMAIN", "STATE", "CONNECTION", "ENFORCED", "JOIN ROLE"], rows)
        })
    }

    async fn changes(&self, args: DomainChangesArgs) -> Result<DomainChanges, Failure> {
        let break_glass = match &args.break_glass {
            Some(person) => Some(find_person(self.instance, person).await?),
            None => None,
        };
        Ok(DomainChanges {
            connection: change(args.connection, args.no_connection),
            enforced: change(break_glass, args.no_enforce),
            join_role: change(args.join_role, args.no_join_role),
        })
    }
}

/// To something, to nothing, or none.
fn change<T>(to: Option<T>, to_nothing: bool) -> Option<Option<T>> {
    match to {
        None if to_nothing => Some(None),
        None => None,
        something => Some(something),
    }
}

const fn state(domain: &Body) -> &'static str {
    if domain.verified { "verified" } else { "claimed" }
}

fn describe(domain: &Body) -> String {
    let mut lines = vec![
        format!("Domain      {}", domain.domain),
        format!("State       {}", state(domain)),
    ];
    if let Some(connection) = &domain.connection_id {
        lines.push(format!("Connection  {connection}"));
    }
    if let Some(user) = &domain.break_glass_user_id {
        lines.push(format!("Enforced    for all but {user}"));
    }
    if let Some(role) = domain.join_role {
        lines.push(format!("Join role   {}", Role::from(role)));
    }
    if !domain.verified {
        lines.push(format!(
            "Publish the TXT record\n  {}\nwith the value\n  {}\nand then run `tigertrust sso domain verify {}`.",
            domain.record_name, domain.record_value, domain.domain
        ));
    }
    lines.join("\n")
}

fn unknown(workspace: WorkspaceId, domain: &str, error: SsoError) -> Failure {
    missing(error, || {
        format!(
            "the workspace {workspace} has not claimed {domain}: `tigertrust sso domain add {domain} --workspace {workspace}` does"
        )
    })
}
