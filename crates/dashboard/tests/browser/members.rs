//! Members: how they come, what they become, and how they go.

use reqwest::Method;
use serde_json::json;
use tigertrust_model::{Role, UserId};
use tigertrust_testkit::{Engine, PASSWORD, TabSettings, send};

use crate::common::{NO_SCRIPT, PHONE, Site, faults, whereabouts};

const NEW: &str = "jo@example.com";

async fn role_of(site: &Site, user: UserId) -> Option<Role> {
    let members = site.server.storage.members();
    members.role_in(site.workspace.id, user).await.unwrap()
}

async fn a_colleague_from_the_invitation_to_the_end(engine: Engine) {
    let site = Site::open(engine).await;
    let (_, admin) = site.signed_in(Role::Admin, TabSettings::default()).await;
    admin.press("Members").await;
    assert_eq!(admin.url().await, site.within("/members"));
    admin.press("Invite a colleague").await;
    // Nobody makes anybody more than it is itself.
    assert!(!admin.text().await.contains("Owner"), "{}", admin.text().await);
    admin
        .evaluate("document.querySelector('main form').noValidate = true")
        .await;
    admin.fill("E-mail address", "jo").await;
    admin.check("Viewer").await;
    admin.press("Send invitation").await;
    assert_eq!(admin.status().await, 400);
    let text = admin.text().await;
    assert!(text.contains("must be an e-mail address"), "{text}");
    assert_eq!(admin.value("Viewer").await, "checked");
    assert_eq!(faults(&admin).await, [""; 0]);
    admin.fill("E-mail address", NEW).await;
    admin.press("Send invitation").await;
    let text = admin.text().await;
    assert!(
        text.contains("The invitation is on its way.") && text.contains(NEW),
        "{text}"
    );
    let first = site.server.mails.token(NEW);
    admin.press("Send again to jo@example.com").await;
    let text = admin.text().await;
    assert!(text.contains("The one that was sent before is dead."), "{text}");
    let token = site.server.mails.token(NEW);
    assert_ne!(first, token);
    assert_eq!(faults(&admin).await, [""; 0]);

    let colleague = site.tab(TabSettings::default()).await;
    colleague
        .goto_from(
            &site.at(&format!("/invitations/accept#token={token}")),
            "127.0.0.1",
        )
        .await;
    colleague.fill("Name, for a new account", "Jo").await;
    colleague.fill("Password, for a new account", PASSWORD).await;
    colleague.press("Accept").await;
    assert_eq!(whereabouts(&colleague).await, site.within(""));
    assert!(
        colleague
            .text()
            .await
            .contains("you are a member of this workspace now")
    );
    // What is shown is not taken for the calls of all.
    assert!(
        colleague
            .text()
            .await
            .contains("No calls with your keys in this time")
    );
    // A viewer sees who is there, and nothing to change that with.
    colleague.press("Members").await;
    let text = colleague.text().await;
    assert!(text.contains(NEW) && text.contains("you"), "{text}");
    for button in ["Invite a colleague", "Change role", "Remove"] {
        assert!(!text.contains(button), "{button}: {text}");
    }
    assert_eq!(faults(&colleague).await, [""; 0]);

    admin.goto(&site.within("/members")).await;
    let text = admin.text().await;
    assert!(text.contains("Jo") && !text.contains("Send again"), "{text}");
    admin.press("Change role of jo@example.com").await;
    assert_eq!(admin.value("Viewer").await, "checked");
    admin.check("Admin").await;
    admin.press("Change role").await;
    assert!(admin.text().await.contains("The role is changed."));
    colleague.goto(&site.within("/members")).await;
    assert!(colleague.text().await.contains("Invite a colleague"));

    admin.press("Remove jo@example.com").await;
    let text = admin.text().await;
    assert!(
        text.contains("Remove Jo?") && text.contains("revoked for good"),
        "{text}"
    );
    assert_eq!(faults(&admin).await, [""; 0]);
    admin.press("Remove member").await;
    let text = admin.text().await;
    assert!(
        text.contains("The member is removed") && !text.contains(NEW),
        "{text}"
    );
    colleague.goto(&site.within("/members")).await;
    assert_eq!(colleague.status().await, 404);
    colleague.goto(&site.at("/")).await;
    assert!(colleague.text().await.contains("You are in no workspace"));
    assert_eq!(faults(&colleague).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_from_the_invitation_to_the_end_on_sqlite() {
    a_colleague_from_the_invitation_to_the_end(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_from_the_invitation_to_the_end_on_postgres() {
    a_colleague_from_the_invitation_to_the_end(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_join_without_javascript_by_the_link_as_it_is_pasted() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, owner) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    owner.goto(&site.within("/members/invite")).await;
    owner.fill("E-mail address", NEW).await;
    owner.check("Owner").await;
    owner.press("Send invitation").await;
    let mail = site.server.mails.only(NEW);
    let text = mail.reveal_text();
    let link = text.split_whitespace().find(|word| word.contains("#token="));

    let colleague = site.tab(NO_SCRIPT).await;
    colleague.goto(&site.at("/invitations/accept")).await;
    colleague.fill("Link", link.unwrap()).await;
    colleague.fill("Password, for a new account", "short").await;
    colleague.press("Accept").await;
    assert_eq!(colleague.status().await, 400);
    // The link goes along, and is not shown again.
    assert!(!colleague.text().await.contains("Paste the link"));
    colleague.fill("Password, for a new account", PASSWORD).await;
    colleague.press("Accept").await;
    assert_eq!(whereabouts(&colleague).await, site.within(""));
    colleague.press("Members").await;
    assert!(colleague.text().await.contains("Invite a colleague"));
    assert_eq!(faults(&colleague).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_take_invitations_back() {
    let site = Site::open(Engine::Sqlite).await;
    let (user, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    tab.goto(&site.within("/invitations")).await;
    assert!(tab.text().await.contains("Nobody is invited"));
    tab.press("Invite somebody").await;
    tab.fill("E-mail address", NEW).await;
    tab.press("Send invitation").await;
    let token = site.server.mails.token(NEW);
    tab.press("Revoke invitation of jo@example.com").await;
    let text = tab.text().await;
    assert!(text.contains(NEW) && text.contains("dead at once"), "{text}");
    assert_eq!(faults(&tab).await, [""; 0]);
    let here = tab.url().await;
    tab.press("Revoke invitation").await;
    let text = tab.text().await;
    assert!(
        text.contains("The invitation is revoked.") && !text.contains(NEW),
        "{text}"
    );
    tab.goto(&here).await;
    assert_eq!(tab.status().await, 404);
    let body = json!({"token": token, "password": PASSWORD});
    let accepted = site.server.request(Method::POST, "/api/invitations/accept");
    assert_eq!(send(accepted.json(&body)).await.status, 401);
    // An admin sees what an owner has invited to, and leaves it alone.
    let key = site.server.admin(&site.workspace).await;
    let own = site.server.member(&site.workspace, Role::Owner).await;
    let owner = site
        .server
        .personal(&site.workspace, own, &["members:write"])
        .await;
    let path = format!("/api/workspaces/{}/invitations", site.workspace.id);
    let body = json!({"email": "owner-to-be@example.com", "role": "owner"});
    let invited = site.server.post(&path, &owner, &body).await;
    assert_eq!(invited.status, 201, "{invited:?}");
    let body = json!({"email": "member-to-be@example.com", "role": "member"});
    assert_eq!(site.server.post(&path, &key, &body).await.status, 201);
    tab.goto(&site.within("/members")).await;
    let text = tab.text().await;
    assert!(
        text.contains("owner-to-be@example.com") && text.contains("a key"),
        "{text}"
    );
    assert_eq!(text.matches("Send again").count(), 1, "{text}");
    let id = invited.body["id"].as_str().unwrap();
    tab.goto(&site.within(&format!("/invitations/{id}/revoke"))).await;
    tab.press("Revoke invitation").await;
    assert_eq!(tab.status().await, 403);
    let text = tab.text().await;
    assert!(text.contains("only an owner invites owners"), "{text}");
    // One that is over can be sent again.
    site.server
        .clock
        .advance(std::time::Duration::from_secs(8 * 24 * 60 * 60));
    site.sign_in(&tab, &site.server.email(user).await).await;
    tab.goto(&site.within("/members")).await;
    assert!(tab.text().await.contains("expired"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Send again to member-to-be@example.com").await;
    assert_eq!(tab.text().await.matches("expired").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_leave_whatever_they_are_but_for_the_last_owner() {
    let site = Site::open(Engine::Sqlite).await;
    for role in [Role::Admin, Role::Viewer] {
        let (user, tab) = site.signed_in(role, TabSettings::default()).await;
        tab.press("Members").await;
        tab.press("Leave").await;
        assert!(tab.text().await.contains("Leave Acme?"));
        tab.press("Leave the workspace").await;
        assert_eq!(whereabouts(&tab).await, site.at("/workspaces"));
        let text = tab.text().await;
        assert!(text.contains("You have left the workspace"), "{text}");
        assert_eq!(role_of(&site, user).await, None);
    }
    let (user, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    site.server
        .set_role(&site.workspace, site.server.owner, None)
        .await;
    tab.goto(&site.within(&format!("/members/{user}/remove"))).await;
    tab.press("Leave the workspace").await;
    assert_eq!(tab.status().await, 409);
    assert_eq!(role_of(&site, user).await, Some(Role::Owner));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&site.within(&format!("/members/{user}/role"))).await;
    tab.check("Member").await;
    tab.press("Change role").await;
    assert_eq!(tab.status().await, 409);
    assert_eq!(tab.value("Member").await, "checked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_with_less_power_change_nobody() {
    let site = Site::open(Engine::Sqlite).await;
    let colleague = site.server.member(&site.workspace, Role::Viewer).await;
    let (_, tab) = site.signed_in(Role::Member, TabSettings::default()).await;
    for below in [
        "members/invite".to_owned(),
        format!("members/{colleague}/role"),
        format!("members/{colleague}/remove"),
    ] {
        tab.goto(&site.within(&format!("/{below}"))).await;
        assert_eq!(tab.status().await, 403, "{below}");
    }
    // An admin does not touch owners.
    let owner = site.server.owner;
    let (_, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    tab.goto(&site.within(&format!("/members/{owner}/role"))).await;
    assert!(
        tab.text()
            .await
            .contains("Only an owner changes what an owner is.")
    );
    tab.goto(&site.within(&format!("/members/{owner}/remove"))).await;
    tab.press("Remove member").await;
    assert_eq!(tab.status().await, 403);
    let text = tab.text().await;
    assert!(
        text.contains("only an owner makes, changes or removes owners"),
        "{text}"
    );
    assert_eq!(role_of(&site, owner).await, Some(Role::Owner));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_many() {
    let site = Site::open(Engine::Sqlite).await;
    for _ in 0..51 {
        site.server.member(&site.workspace, Role::Viewer).await;
    }
    let (_, tab) = site.signed_in(Role::Owner, PHONE).await;
    let key = site.server.admin(&site.workspace).await;
    let path = format!("/api/workspaces/{}/invitations", site.workspace.id);
    for number in 0..12 {
        let body = json!({"email": format!("{number}@example.com"), "role": "viewer"});
        assert_eq!(site.server.post(&path, &key, &body).await.status, 201);
    }
    tab.goto(&site.within("/members")).await;
    let count = "document.querySelectorAll('main tbody tr').length";
    assert_eq!(tab.evaluate(count).await, 60);
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Next page").await;
    assert_eq!(tab.evaluate(count).await, 3);
    assert!(!tab.text().await.contains("Next page"));
    tab.goto(&site.within("/members")).await;
    tab.press("All invitations").await;
    assert_eq!(tab.evaluate(count).await, 12);
    assert_eq!(faults(&tab).await, [""; 0]);
}
