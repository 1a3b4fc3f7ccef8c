//! A tab of Chromium, in pages that have of everything a little.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

use std::fs;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde_json::json;
use tigertrust_http::page::Pages;
use tigertrust_testkit::{Chromium, Engine, Tab, TabSettings, TestServer};

const PAGES: Pages = Pages {
    mount: |config| {
        config
            .route("/form", web::to(form))
            .route("/again", web::to(again))
            .route("/faulty", web::to(faulty))
            .route("/icon.svg", web::to(icon))
            .route("/page.js", web::to(script))
            .route("/answer", web::to(answer));
    },
    refused: |_| HttpResponse::InternalServerError().finish(),
};

const HEAD: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <link rel="icon" href="/icon.svg"><title>A page</title>"#;

const FORM: &str = r##"<main>
    <form method="post">
      <label>Name <input name="name" value="nobody"></label>
      <label for="role">Role</label>
      <select id="role" name="role"><option value="r">Reader</option><option value="o">The owner</option></select>
      <label for="notes">Notes</label> <textarea id="notes" name="text"></textarea>
      <label><input type="checkbox" name="agreed" value="yes"> I agree</label>
      <label><input type="radio" name="kind" value="a"> Agent</label>
      <label><input type="radio" name="kind" value="s" checked> Server</label>
      <label for="file">Metadata</label> <input id="file" type="file" name="file">
      <button>
        Save all
      </button>
    </form>
    <ul>
      <li>First <a href="/form?first" aria-label="Open">→</a></li>
      <li>Second <a href="/form?second" aria-label="Open">→</a></li>
    </ul>
    <button id="ask">Ask</button> <button id="later">Later</button> <button id="copy">Copy</button>
    <button id="passkey">Passkey</button> <button id="fail">Fail</button> <button hidden>Save all</button>
    <p id="said"></p></main><script src="/page.js"></script>"##;

/// In place of htmx: what is marked as it marks things is waited for.
const SCRIPT: &str = r##"
    const on = (id, act) => document.getElementById(id).addEventListener("click", act);
    const say = (text) => { document.getElementById("said").textContent = text; };
    on("ask", async ({ target }) => {
      target.classList.add("htmx-request");
      const answer = await (await fetch("/answer")).text();
      setTimeout(() => { say(answer); target.classList.remove("htmx-request"); }, 300);
    });
    on("later", () => setTimeout(say, 300, "It is later"));
    on("copy", async () => { await navigator.clipboard.writeText("a secret"); say("Copied"); });
    on("fail", () => { throw new Error("it fails"); });
    on("passkey", async () => {
      const challenge = new Uint8Array(32), user = { id: challenge, name: "ada", displayName: "Ada" };
      const made = await navigator.credentials.create({ publicKey: {
        rp: { name: "us" }, user, challenge, pubKeyCredParams: [{ type: "public-key", alg: -7 }],
        authenticatorSelection: { residentKey: "required", userVerification: "required" } } });
      const shown = await navigator.credentials.get({ publicKey: { challenge, userVerification: "required" } });
      say(shown.id === made.id ? "It is the passkey" : "It is another passkey");
    });"##;

fn html(mut answer: actix_web::HttpResponseBuilder, body: &str) -> HttpResponse {
    let policy =
        "default-src 'none'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'";
    answer
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((
            header::SET_COOKIE,
            "__Host-seen=yes; Path=/; Secure; HttpOnly; SameSite=Strict",
        ))
        .body(format!("{HEAD}{body}"))
}

/// Tells what was sent, below the form.
async fn form(request: HttpRequest, body: String) -> HttpResponse {
    let header = |name| {
        let value = request.headers().get(name);
        value.map_or("none", |value| value.to_str().unwrap())
    };
    let (site, cookie) = (header("sec-fetch-site"), header("cookie"));
    let (method, query) = (request.method(), request.query_string());
    html(
        HttpResponse::Ok(),
        &format!("{FORM}<pre>{method} {query} {body} / {site} / {cookie}</pre>"),
    )
}

async fn again() -> HttpResponse {
    html(
        HttpResponse::Accepted(),
        r#"<meta http-equiv="refresh" content="0;url=/form?again">"#,
    )
}

async fn faulty() -> HttpResponse {
    let wide = "wide ".repeat(100);
    html(
        HttpResponse::NotFound(),
        &format!(
            r#"<body style="color: red"><h1>Faulty</h1><input><img src="/missing.png" alt="None">
               <pre class="far">{wide}</pre>"#
        ),
    )
}

async fn icon() -> HttpResponse {
    let icon = r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#;
    HttpResponse::Ok().content_type("image/svg+xml").body(icon)
}

async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript")
        .insert_header((header::CACHE_CONTROL, "max-age=3600"))
        .body(SCRIPT)
}

async fn answer() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("An answer")
}

async fn start() -> (TestServer, Chromium) {
    let server = TestServer::with_pages(Engine::Sqlite, PAGES, |_| Vec::new()).await;
    (server, Chromium::start())
}

/// Goes through the form as anybody can, with scripts or without.
async fn fill_in(tab: &Tab, server: &TestServer) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.xml");
    fs::write(&file, "<x/>").unwrap();
    tab.goto(&format!("{}/form", server.base_url())).await;
    assert_eq!(tab.value("Name").await, "nobody");
    tab.fill("Name", "Ada").await;
    tab.fill("Role", "The owner").await;
    tab.fill("Notes", "one\ntwo").await;
    tab.check("I agree").await;
    tab.check("Agent").await;
    tab.upload("Metadata", &file).await;
    assert_eq!(tab.value("Role").await, "The owner");
    assert_eq!(
        [tab.value("Agent").await, tab.value("Server").await],
        ["checked", ""]
    );
    tab.press("Save all").await;
    let sent = "POST name=Ada&role=o&text=one%0D%0Atwo&agreed=yes&kind=a&file=metadata.xml / same-origin / __Host-seen=yes";
    let text = tab.text().await;
    assert!(text.replace("POST  ", "POST ").contains(sent), "{text}");

    tab.check("I agree").await;
    tab.uncheck("I agree").await;
    tab.fill("Name", "").await;
    tab.keyboard("Shift+Tab").await;
    tab.keyboard("Tab").await;
    tab.keyboard("Enter").await;
    let text = tab.text().await;
    assert!(text.contains("name=&role=r&text=&kind=s&file= "), "{text}");

    tab.press_near("Second", "Open").await;
    assert_eq!(tab.url().await, format!("{}/form?second", server.base_url()));
    assert_eq!(tab.status().await, 200);
    assert_eq!(tab.axe().await, Vec::<String>::new());
    assert_eq!(tab.troubles().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pages_say_and_do_is_seen_in_chromium() {
    let (server, chromium) = start().await;
    let tab = chromium.tab(TabSettings::default()).await;
    fill_in(&tab, &server).await;

    tab.press("Ask").await;
    assert!(tab.text().await.contains("An answer"));
    tab.press("Later").await;
    tab.wait_for_text("It is later").await;
    tab.press("Copy").await;
    tab.wait_for_text("Copied").await;
    assert_eq!(tab.clipboard().await, "a secret");
    tab.authenticator().await;
    tab.press("Passkey").await;
    tab.wait_for_text("It is the passkey").await;
    assert_eq!(
        tab.evaluate("[document.title, 6 * 7]").await,
        json!(["A page", 42])
    );
    let weight = tab.weight().await;
    let least = (FORM.len() + SCRIPT.len()) as u64;
    assert!((least..least + 4096).contains(&weight), "{weight}");
    assert_eq!(weight, tab.weight().await);

    assert_eq!(tab.troubles().await, Vec::<String>::new());
    tab.press("Fail").await;
    let troubles = tab.troubles().await;
    assert!(
        matches!(&*troubles, [only] if only.contains("it fails")),
        "{troubles:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_used_in_chromium_without_scripts() {
    let (server, chromium) = start().await;
    let settings = TabSettings {
        javascript: false,
        ..TabSettings::default()
    };
    let tab = chromium.tab(settings).await;
    fill_in(&tab, &server).await;
    tab.press("Fail").await;
    tab.goto(&format!("{}/again", server.base_url())).await;
    tab.wait_for_text("GET again").await;
    assert_eq!(tab.troubles().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_tells_sites_apart() {
    let (server, chromium) = start().await;
    let tab = chromium.tab(TabSettings::default()).await;
    let url = format!("{}/form", server.base_url());
    tab.goto(&url).await;
    assert!(tab.text().await.contains(" / none / none"));
    tab.goto_from(&url, "127.0.0.1").await;
    assert!(tab.text().await.contains(" / cross-site / none"));
    tab.goto_from(&url, "localhost").await;
    assert!(tab.text().await.contains(" / same-site / __Host-seen=yes"));
    tab.goto_from(&format!("{}/again", server.base_url()), "127.0.0.1")
        .await;
    assert!(tab.text().await.contains(" / same-origin / __Host-seen=yes"));
    assert_eq!(tab.status().await, 200);

    let other = chromium.tab(TabSettings::default()).await;
    other.goto(&url).await;
    assert!(other.text().await.contains(" / none / none"));
    other.close().await;
    let walked = chromium.walk(&url, &json!({}), &url).await;
    assert_eq!(walked.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_sees_what_is_wrong_with_a_page() {
    let (server, chromium) = start().await;
    let settings = TabSettings {
        width: 390,
        height: 800,
        dark: true,
        ..TabSettings::default()
    };
    let tab = chromium.tab(settings).await;
    tab.goto(&format!("{}/form", server.base_url())).await;
    assert_eq!(tab.overflow().await, Vec::<String>::new());

    tab.goto(&format!("{}/faulty", server.base_url())).await;
    assert_eq!(tab.status().await, 404);
    let is_dark = tab
        .evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        .await;
    assert_eq!(is_dark, json!(true));
    let overflow = tab.overflow().await;
    assert!(
        matches!(&*overflow, [only] if only.starts_with("pre.far from 8 to ")),
        "{overflow:?}"
    );
    let axe = tab.axe().await;
    assert!(
        matches!(&*axe, [only] if only.starts_with("label: input — ")),
        "{axe:?}"
    );
    let mut troubles = tab.troubles().await;
    troubles.sort();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(
        troubles[0].contains("Content Security Policy directive"),
        "{troubles:?}"
    );
    assert!(troubles[1].ends_with("/missing.png: 404"), "{troubles:?}");

    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("new/page.png");
    tab.screenshot(&picture).await;
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "2 × “Open”, of: Save all | Open | Open | Ask | Later | Copy | Passkey | Fail")]
async fn chromium_does_not_guess_which_of_two_is_meant() {
    let (server, chromium) = start().await;
    let tab = chromium.tab(TabSettings::default()).await;
    tab.goto(&format!("{}/form", server.base_url())).await;
    tab.press("Open").await;
}
