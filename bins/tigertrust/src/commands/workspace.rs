//! `tigertrust workspace`.

use tigertrust::TigerTrust;
use tigertrust_accounts::{Actor, FlowError, ports::Page as PageRequest};
use tigertrust_model::WorkspaceId;
use tigertrust_wire::{Page, Workspace as Body, format_rfc3339};

use super::{instance, user::find_person};
use crate::{
    cli::{Common, PageArgs, Workspace},
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
        Workspace::SetPlan { id, plan } => {
            let workspace = instance
                .workspaces()
                .set_plan(id, plan)
                .await
                .map_err(|error| match error {
                    FlowError::NotFound => Failure::new(format!("there is no workspace {id}")),
                    other => other.into(),
                })?;
            output::print(common.output, &Body::from(&workspace), describe)
        }
    };
    instance.close().await;
    done
}

async fn list(common: &Common, instance: &TigerTrust, page: &PageArgs<WorkspaceId>) -> Result<(), Failure> {
    let request = PageRequest {
        after: page.cursor,
        limit: page.limit + 1,
    };
    let found = instance.workspaces().list(&Actor::Operator, request).await?;
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
    format!(
        "Workspace  {}\nName       {}\nPlan       {}",
        workspace.id, workspace.name, workspace.plan
    )
}
