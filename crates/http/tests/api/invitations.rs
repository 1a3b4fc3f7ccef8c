//! `/api/workspaces/{id}/invitations` and `/api/invitations/accept`.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{Actor, IssuedInvitation, NewInvitation};
use tigertrust_model::{KeyType, Role, Workspace};
use tigertrust_testkit::{Answer, PASSWORD, TestServer, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    somebody_without_an_account_gets_one_and_is_signed_in,
    somebody_with_an_account_signs_in_and_joins,
    s25_an_invitation_is_good_for_its_address_alone,
    an_invitation_is_good_once_and_for_seven_days,
    inviting_again_puts_another_token_in_its_place,
    racing_uses_of_one_invitation_accept_one,
    racing_new_accounts_of_one_invitation_make_one,
    s25_nobody_invites_to_more_than_it_may_make_others,
    s25_an_invitation_falls_with_the_right_of_whoever_invited,
    invitations_are_listed_in_pages_and_revoked,
    a_workspace_has_a_hundred_open_invitations_at_the_most,
    what_is_mailed_to_one_address_has_an_end,
    s7_guesses_count_against_the_network,
    s1_the_password_of_a_new_account_is_held_to_the_rules,
    s20_the_database_holds_the_digest_alone,
    a_deleted_workspace_takes_nobody_in,
    who_is_a_member_is_not_invited,
);

const NEW: &str = "jo@example.com";

fn path(home: &Workspace) -> String {
    format!("/api/workspaces/{}/invitations", home.id)
}

async fn invite(server: &TestServer, home: &Workspace, email: &str, role: Role) -> IssuedInvitation {
    let new = NewInvitation {
        email: email.parse().unwrap(),
        role,
    };
    let invited = server.invitations.invite(&Actor::operator(), home.id, new).await;
    invited.unwrap()
}

async fn accept(browser: &mut Browser, server: &TestServer, body: Value) -> Answer {
    browser.post(server, "/api/invitations/accept", &body).await
}

fn with_password(token: &str) -> Value {
    json!({"token": token, "name": "Jo", "password": PASSWORD})
}

async fn somebody_without_an_account_gets_one_and_is_signed_in(server: TestServer) {
    let home = server.workspace("Home").await;
    let al = server.member(&home, Role::Admin).await;
    let mut admin = Browser::signed_in(&server, al).await;
    let body = json!({"email": " Jo@Example.com ", "role": "member"});
    let invited = admin.post(&server, &path(&home), &body).await;
    assert_eq!(invited.status, 201, "{invited:?}");
    let id = invited.body["id"].as_str().unwrap();
    assert!(id.starts_with("inv_"));
    assert_eq!(invited.header("location"), format!("{}/{id}", path(&home)));
    assert_eq!(
        invited.body,
        json!({
            "id": id, "workspaceId": home.id.to_string(), "email": "Jo@Example.com", "role": "member",
            "invitedBy": al.to_string(), "invitedAt": "2027-01-15T08:00:00Z",
            "expiresAt": "2027-01-22T08:00:00Z", "expired": false,
        })
    );
    let mail = server.mails.only(NEW);
    assert!(mail.reveal_text().contains("Home"), "{}", mail.reveal_text());
    let (_, rest) = mail.reveal_text().split_once("#token=").unwrap();
    let token = rest.split_whitespace().next().unwrap();

    let mut browser = Browser::default();
    let accepted = accept(&mut browser, &server, with_password(token)).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(accepted.header("cache-control"), "no-store");
    assert_eq!(
        (&accepted.body["user"]["email"], &accepted.body["user"]["name"]),
        (&json!("Jo@Example.com"), &json!("Jo"))
    );
    assert_eq!(accepted.body["workspaces"][0]["role"], "member");
    assert_eq!(accepted.body["defaultWorkspaceId"], home.id.to_string());
    assert_eq!(browser.me(&server).await, 200);
    let again = Browser::default().login(&server, NEW, PASSWORD).await;
    assert_eq!(again.status, 200);
    assert_eq!(
        accept(&mut Browser::default(), &server, with_password(token))
            .await
            .problem(),
        (401, "UNAUTHORIZED")
    );
    let left = admin.get(&server, &path(&home)).await;
    assert_eq!(left.body["items"], json!([]));
}

async fn somebody_with_an_account_signs_in_and_joins(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&other, Role::Viewer).await;
    let email = server.email(jo).await;
    let token = invite(&server, &home, &email.to_uppercase(), Role::Admin)
        .await
        .token;
    let token = token.reveal();
    // That there is an account is told to who has the token alone; and no password is set by it.
    let refused = accept(&mut Browser::default(), &server, with_password(token)).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    assert!(refused.body["detail"].as_str().unwrap().contains("sign in"));
    assert!(!refused.header("www-authenticate").is_empty());
    let mut browser = Browser::signed_in(&server, jo).await;
    let accepted = accept(&mut browser, &server, json!({"token": token})).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(accepted.body["workspaces"].as_array().unwrap().len(), 2);
    let members = server.storage.members();
    assert_eq!(members.role_in(home.id, jo).await.unwrap(), Some(Role::Admin));
    // A session that is over is none.
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    let mut stale = browser.clone();
    browser.post(&server, "/api/auth/logout", &Value::Null).await;
    let accepted = accept(&mut stale, &server, with_password(token.reveal())).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(accepted.body["user"]["email"], NEW);
}

async fn s25_an_invitation_is_good_for_its_address_alone(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let al = server.member(&other, Role::Owner).await;
    let token = invite(&server, &home, NEW, Role::Owner).await.token;
    let mut browser = Browser::signed_in(&server, al).await;
    let body = with_password(token.reveal());
    let refused = accept(&mut browser, &server, body.clone()).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    // From another site's page nothing is accepted with a session.
    let request = server
        .request(Method::POST, "/api/invitations/accept")
        .header("Sec-Fetch-Site", "cross-site")
        .json(&body);
    assert_eq!(browser.send(request).await.problem(), (403, "FORBIDDEN"));
    let members = server.storage.members();
    assert_eq!(members.role_in(home.id, al).await.unwrap(), None);
    assert_eq!(accept(&mut Browser::default(), &server, body).await.status, 200);
}

async fn an_invitation_is_good_once_and_for_seven_days(server: TestServer) {
    let home = server.workspace("Home").await;
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    server.clock.advance(Duration::from_secs(7 * 24 * 60 * 60 - 1));
    let in_time = invite(&server, &home, "al@example.com", Role::Viewer).await.token;
    server.clock.advance(Duration::from_secs(1));
    let late = accept(&mut Browser::default(), &server, with_password(token.reveal())).await;
    assert_eq!(late.problem(), (401, "TOKEN_EXPIRED"));
    let body = with_password(in_time.reveal());
    assert_eq!(
        accept(&mut Browser::default(), &server, body.clone())
            .await
            .status,
        200
    );
    let again = accept(&mut Browser::default(), &server, body).await;
    assert_eq!(again.problem(), (401, "UNAUTHORIZED"));
    // An expired one is shown, and can be renewed.
    let key = server.admin(&home).await;
    let list = server.get(&path(&home), &key).await.body;
    assert_eq!(
        (&list["items"][0]["email"], &list["items"][0]["expired"]),
        (&json!(NEW), &json!(true))
    );
    let renewed = invite(&server, &home, NEW, Role::Viewer).await;
    assert!(!renewed.is_new);
    let body = with_password(renewed.token.reveal());
    assert_eq!(accept(&mut Browser::default(), &server, body).await.status, 200);
}

async fn inviting_again_puts_another_token_in_its_place(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    let body = json!({"email": NEW, "role": "viewer"});
    let first = server.post(&path(&home), &key, &body).await;
    let old = server.mails.token(NEW);
    server.clock.advance(Duration::from_secs(60));
    let body = json!({"email": "JO@example.com", "role": "member"});
    let second = server.post(&path(&home), &key, &body).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.body["id"], second.body["id"]);
    assert_eq!(second.body["expiresAt"], "2027-01-22T08:01:00Z");
    assert_eq!(second.body["invitedBy"], key.key.id.to_string());
    let new = server.mails.token(NEW);
    let dead = accept(&mut Browser::default(), &server, with_password(&old)).await;
    assert_eq!(dead.problem(), (401, "UNAUTHORIZED"));
    let accepted = accept(&mut Browser::default(), &server, with_password(&new)).await;
    assert_eq!(accepted.body["workspaces"][0]["role"], "member");
}

/// Each from a network of its own, so that none is throttled.
async fn race(server: &TestServer, browser: &Browser, body: &Value, count: usize) -> Vec<u16> {
    let attempts = (0..count).map(|number| {
        let mut browser = browser.clone();
        async move {
            let request = server
                .request(Method::POST, "/api/invitations/accept")
                .header("X-Forwarded-For", format!("198.51.100.{}", number % 250))
                .json(body);
            browser.send(request).await.status.as_u16()
        }
    });
    join_all(attempts).await
}

async fn racing_uses_of_one_invitation_accept_one(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&other, Role::Viewer).await;
    let email = server.email(jo).await;
    let token = invite(&server, &home, &email, Role::Viewer).await.token;
    let browser = Browser::signed_in(&server, jo).await;
    let body = json!({"token": token.reveal()});
    let statuses = race(&server, &browser, &body, 200).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert!(
        statuses.iter().all(|status| [200, 401, 503].contains(status)),
        "{statuses:?}"
    );
}

async fn racing_new_accounts_of_one_invitation_make_one(server: TestServer) {
    let home = server.workspace("Home").await;
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    let body = with_password(token.reveal());
    let statuses = race(&server, &Browser::default(), &body, 12).await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    let key = server.admin(&home).await;
    let list = format!("/api/workspaces/{}/members", home.id);
    assert_eq!(
        server.get(&list, &key).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

async fn s25_nobody_invites_to_more_than_it_may_make_others(server: TestServer) {
    let home = server.workspace("Home").await;
    let mut number = 0;
    for own in Role::ALL {
        let caller = server.member(&home, own).await;
        let mut browser = Browser::signed_in(&server, caller).await;
        for role in Role::ALL {
            number += 1;
            let email = format!("guest-{number}@example.com");
            let body = json!({"email": email, "role": role.as_str()});
            let answer = browser.post(&server, &path(&home), &body).await;
            let may = own.may_turn(None, Some(role));
            assert_eq!(answer.status == 201, may, "{own} {role}: {answer:?}");
            assert_eq!(server.mails.take(&email).len(), usize::from(may));
            if !may {
                assert_eq!(answer.problem(), (403, "FORBIDDEN"));
            }
        }
    }
    // Nor does an admin touch what owners have invited to.
    let al = server.member(&home, Role::Admin).await;
    let mut admin = Browser::signed_in(&server, al).await;
    let issued = invite(&server, &home, NEW, Role::Owner).await;
    let one = format!("{}/{}", path(&home), issued.invitation.id);
    assert_eq!(admin.delete(&server, &one).await.problem(), (403, "FORBIDDEN"));
    let lower = json!({"email": NEW, "role": "viewer"});
    let refused = admin.post(&server, &path(&home), &lower).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
}

async fn s25_an_invitation_falls_with_the_right_of_whoever_invited(server: TestServer) {
    let home = server.workspace("Home").await;
    let al = server.member(&home, Role::Admin).await;
    let mut admin = Browser::signed_in(&server, al).await;
    let key = json!({"name": "k", "type": "agent", "scopes": ["members:*"]});
    let key = admin.post(&server, "/api/keys", &key).await.body;
    let secret = key["key"].as_str().unwrap().to_owned();
    let by_key = |email: &str| {
        let body = json!({"email": email, "role": "admin"});
        let request = server.request(Method::POST, &path(&home)).json(&body);
        request.header("X-Agent-API-Key", &secret)
    };
    let body = json!({"email": NEW, "role": "viewer"});
    assert_eq!(admin.post(&server, &path(&home), &body).await.status, 201);
    let by_person = server.mails.token(NEW);
    assert_eq!(send(by_key("al@example.com")).await.status, 201);
    let by_key_of_person = server.mails.token("al@example.com");
    server.set_role(&home, al, Some(Role::Member)).await;
    for token in [&by_person, &by_key_of_person] {
        let refused = accept(&mut Browser::default(), &server, with_password(token)).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{refused:?}");
    }
    // Nor does the key invite or raise anybody any more, its maker included.
    assert_eq!(send(by_key("x@example.com")).await.problem(), (403, "FORBIDDEN"));
    let raise = server
        .request(
            Method::PATCH,
            &format!("/api/workspaces/{}/members/{al}", home.id),
        )
        .header("X-Agent-API-Key", &secret)
        .json(&json!({"role": "admin"}));
    assert_eq!(send(raise).await.problem(), (403, "FORBIDDEN"));
    // Nor does what was invited to count once the maker is no member at all.
    server.set_role(&home, al, None).await;
    let refused = accept(&mut Browser::default(), &server, with_password(&by_person)).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{refused:?}");
    // Who has the right again has it for what was invited to as well.
    server.set_role(&home, al, Some(Role::Admin)).await;
    assert_eq!(
        accept(&mut Browser::default(), &server, with_password(&by_person))
            .await
            .status,
        200
    );
    let revoke = format!("/api/keys/{}/revoke", key["id"].as_str().unwrap());
    assert_eq!(admin.post(&server, &revoke, &json!({})).await.status, 200);
    let refused = accept(&mut Browser::default(), &server, with_password(&by_key_of_person)).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
}

async fn invitations_are_listed_in_pages_and_revoked(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let key = server.admin(&home).await;
    for name in ["a", "b", "c"] {
        invite(&server, &home, &format!("{name}@example.com"), Role::Viewer).await;
        server.clock.advance(Duration::from_millis(1));
    }
    let foreign = invite(&server, &other, "d@example.com", Role::Viewer)
        .await
        .invitation;
    let first = server.get(&format!("{}?limit=2", path(&home)), &key).await.body;
    let names = |page: &Value| {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["email"].as_str().unwrap()[..1].to_owned())
            .collect::<String>()
    };
    assert_eq!(names(&first), "cb");
    assert_eq!(first["items"][0]["invitedBy"], "operator");
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = server
        .get(&format!("{}?limit=2&cursor={cursor}", path(&home)), &key)
        .await
        .body;
    assert_eq!((names(&rest).as_str(), &rest["nextCursor"]), ("a", &Value::Null));
    assert!(!first.to_string().contains("tt_inv_"));

    let token = invite(&server, &home, NEW, Role::Viewer).await;
    let one = format!("{}/{}", path(&home), token.invitation.id);
    assert_eq!(server.delete(&one, &key).await.status, 204);
    for missing in [
        one,
        format!("{}/{}", path(&home), foreign.id),
        format!("{}/nonsense", path(&home)),
    ] {
        assert_eq!(server.delete(&missing, &key).await.problem(), (404, "NOT_FOUND"));
    }
    let body = with_password(token.token.reveal());
    let dead = accept(&mut Browser::default(), &server, body).await;
    assert_eq!(dead.problem(), (401, "UNAUTHORIZED"));
    // Expired ones are pruned after thirty days.
    server.clock.advance(Duration::from_secs(38 * 24 * 60 * 60));
    let now = tigertrust_model::Clock::now(&*server.clock);
    server.storage.prune_sign_ins(now, 100).await.unwrap();
    assert_eq!(names(&server.get(&path(&home), &key).await.body), "");
}

async fn a_workspace_has_a_hundred_open_invitations_at_the_most(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    for number in 0..100 {
        invite(
            &server,
            &home,
            &format!("guest-{number}@example.com"),
            Role::Viewer,
        )
        .await;
    }
    let body = json!({"email": NEW, "role": "viewer"});
    let refused = server.post(&path(&home), &key, &body).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    // One that is open is renewed all the same, and those that are expired do not count.
    let renewed = server
        .post(
            &path(&home),
            &key,
            &json!({"email": "guest-7@example.com", "role": "viewer"}),
        )
        .await;
    assert_eq!(renewed.status, 200);
    server.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!(server.post(&path(&home), &key, &body).await.status, 201);
}

async fn what_is_mailed_to_one_address_has_an_end(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    let body = json!({"email": NEW, "role": "viewer"});
    for _ in 0..5 {
        assert!(server.post(&path(&home), &key, &body).await.status.is_success());
    }
    let refused = server.post(&path(&home), &key, &body).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(server.mails.take(NEW).len(), 5);
    server.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(server.post(&path(&home), &key, &body).await.status, 200);
}

async fn s7_guesses_count_against_the_network(server: TestServer) {
    let home = server.workspace("Home").await;
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    let guess = || {
        let guess = tigertrust_credentials::Token::generate(
            tigertrust_credentials::TokenKind::Invitation,
            &tigertrust_credentials::OsRandom,
        );
        with_password(guess.unwrap().reveal())
    };
    for _ in 0..60 {
        let refused = accept(&mut Browser::default(), &server, guess()).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    }
    let body = with_password(token.reveal());
    for body in [guess(), body.clone()] {
        let refused = accept(&mut Browser::default(), &server, body).await;
        assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    }
    // What cannot be a token costs nothing and says nothing.
    for text in ["", "x", "tt_inv_x", "tt_ses_x"] {
        let refused = accept(&mut Browser::default(), &server, with_password(text)).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    }
    server.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(accept(&mut Browser::default(), &server, body).await.status, 200);
}

async fn s1_the_password_of_a_new_account_is_held_to_the_rules(server: TestServer) {
    let home = server.workspace("Home").await;
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    let token = token.reveal();
    for (body, pointers) in [
        (json!({"token": token}), vec!["/password"]),
        (json!({"token": token, "password": "short"}), vec!["/password"]),
        (
            json!({"token": token, "password": "jo@example.com!!"}),
            vec!["/password"],
        ),
        (
            json!({"token": token, "password": "short", "name": "a\nb"}),
            vec!["/name", "/password"],
        ),
    ] {
        let refused = accept(&mut Browser::default(), &server, body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), pointers)
        );
    }
    let body = json!({"token": token, "password": PASSWORD});
    assert_eq!(accept(&mut Browser::default(), &server, body).await.status, 200);
}

async fn s20_the_database_holds_the_digest_alone(server: TestServer) {
    let home = server.workspace("Home").await;
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    let dump = server.dump().await;
    assert!(dump.contains(NEW));
    assert!(!dump.contains(token.reveal()));
}

async fn a_deleted_workspace_takes_nobody_in(server: TestServer) {
    let home = server.workspace("Home").await;
    let token = invite(&server, &home, NEW, Role::Viewer).await.token;
    server
        .workspaces
        .delete(&Actor::operator(), home.id)
        .await
        .unwrap();
    let refused = accept(&mut Browser::default(), &server, with_password(token.reveal())).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    let found = server.storage.accounts().find_user_by_email(NEW).await.unwrap();
    assert_eq!(found, None);
}

async fn who_is_a_member_is_not_invited(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Viewer).await;
    let key = server.key(&home, KeyType::Agent, &["members:write"]).await;
    let body = json!({"email": server.email(jo).await.to_uppercase(), "role": "admin"});
    let refused = server.post(&path(&home), &key, &body).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    let refused = server
        .post(&path(&home), &key, &json!({"email": "x", "role": "admin"}))
        .await;
    assert_eq!(refused.pointers(), ["/email"]);
    // Who became a member since is told so, and stays what it is.
    let other = server.workspace("Other").await;
    let token = invite(&server, &other, &server.email(jo).await, Role::Admin)
        .await
        .token;
    server.set_role(&other, jo, Some(Role::Viewer)).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let refused = accept(&mut browser, &server, json!({"token": token.reveal()})).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    let role = server.storage.members().role_in(other.id, jo).await.unwrap();
    assert_eq!(role, Some(Role::Viewer));
}
