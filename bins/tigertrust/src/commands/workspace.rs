//! `tigertrust workspace`.

use tigertrust::TigerTrust;
use tigertrust_accounts::{Actor, FlowError, LeakResponse, WorkspaceChanges};
use tigertrust_model::WorkspaceId;
use tigertrust_wire::{Page, Workspace as Body, format_rfc3339};

use super::{instance, user::find_person};
use crate::{
    cli::{Common, LeakResponseArg, PageArgs, Workspace},
    failure::Failure,
    output,
};

pub async fn run(common: &Common, verb: Workspace) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let done = match verb {
        Workspace::Create { name, owner, plan } => {
            let owner = find_person(&instance, &owner).await?;
            let workspace = instance.workspaces().create(name, plan, owner).await?;
            output::print(common.output, &Body::from(&workspace), describe)
        }
        Workspace::List(page) => list(common, &instance, &page).await,
        Workspace::Rename { id, name } => {
            let changes = WorkspaceChanges {
                name: Some(name),
                ..WorkspaceChanges::default()
            };
            let renamed = instance.workspaces().edit(&Actor::operator(), id, changes).await;
            let workspace = renamed.map_err(|error| unknown(id, error))?;
            output::print(common.output, &Body::from(&workspace), describe)
        }
        Workspace::Delete { id, yes } => delete(common, &instance, id, yes).await,
        Workspace::SetLeakResponse { id, response } => {
            let changes = WorkspaceChanges {
                leak_response: Some(match response {
                    LeakResponseArg::Notify => Some(LeakResponse::Notify),
                    LeakResponseArg::Revoke => Some(LeakResponse::Revoke),
                    LeakResponseArg::Default => None,
                }),
                ..WorkspaceChanges::default()
            };
            let edited = instance.workspaces().edit(&Actor::operator(), id, changes).await;
            let workspace = edited.map_err(|error| unknown(id, error))?;
            output::print(common.output, &Body::from(&workspace), describe)
        }
        Workspace::SetPlan { id, plan } => {
            let set = instance.workspaces().set_plan(id, plan).await;
            let workspace = set.map_err(|error| unknown(id, error))?;
            output::print(common.output, &Body::from(&workspace), describe)
        }
    };
    instance.close().await;
    done
}

async fn delete(common: &Common, instance: &TigerTrust, id: WorkspaceId, yes: bool) -> Result<(), Failure> {
    let workspaces = instance.workspaces();
    let found = workspaces.get(&Actor::operator(), id).await;
    let name = found.map_err(|error| unknown(id, error))?.name;
    if !yes {
        return Err(Failure::new(format!(
            "this would delete the workspace {id}, {name:?}, for good: all of its keys are refused from then on, and its \
             members and the keys of other workspaces cannot act in it any more. Add --yes to do it"
        )));
    }
    let deleted = workspaces.delete(&Actor::operator(), id).await;
    deleted.map_err(|error| unknown(id, error))?;
    output::print(common.output, &(), |()| {
        format!("Deleted {id}, {name:?}. Its keys are refused.")
    })
}

async fn list(common: &Common, instance: &TigerTrust, page: &PageArgs<WorkspaceId>) -> Result<(), Failure> {
    let found = instance
        .workspaces()
        .list(&Actor::operator(), page.request())
        .await?;
    let body = Page::of(
        found,
        page.limit,
        |known| known.id.to_string(),
        |known| Body::from(known),
    );
    output::print(common.output, &body, |body| {
        let rows = body.items.iter().map(|known| {
            [
                known.id.clone(),
                known.plan.clone(),
                format_rfc3339(known.created_at),
                known.name.clone(),
            ]
        });
        super::key::with_cursor(
            output::table(["ID", "PLAN", "CREATED", "NAME"], rows),
            body.next_cursor.as_deref(),
        )
    })
}

fn describe(workspace: &Body) -> String {
    let leaked = match workspace.leak_response {
        None => String::new(),
        Some(response) => format!("\nLeaked     {}", LeakResponse::from(response)),
    };
    format!(
        "Workspace  {}\nName       {}\nPlan       {}{leaked}",
        workspace.id, workspace.name, workspace.plan
    )
}

pub fn unknown(id: WorkspaceId, error: FlowError) -> Failure {
    match error {
        FlowError::NotFound => Failure::new(format!("there is no workspace {id}")),
        other => other.into(),
    }
}
