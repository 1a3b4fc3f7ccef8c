//! Where TigerTrust does not answer nobody passes.

use reqwest::Method;
use serde_json::json;

use crate::{behind::Behind, behind_each_proxy};

behind_each_proxy!(
    nobody_passes_while_the_server_is_gone,
    nobody_passes_while_the_server_is_silent,
);

async fn nobody_passes_while_the_server_is_gone(behind: Behind) {
    let key = behind.key(&["certificates:read"], json!({})).await;
    let cookie = behind.sign_in().await;
    assert_eq!(behind.get("/certificates/7", Some(&key)).await.status, 200);
    behind.server.kill_now();
    refuses_all(&behind, &key.secret, &cookie).await;
}

async fn nobody_passes_while_the_server_is_silent(behind: Behind) {
    let key = behind.key(&["certificates:read"], json!({})).await;
    let cookie = behind.sign_in().await;
    assert_eq!(behind.get("/certificates/7", Some(&key)).await.status, 200);
    behind.pause_the_server();
    refuses_all(&behind, &key.secret, &cookie).await;
}

/// All is refused but what nobody is asked about, side by side, since a proxy waits a while for an answer.
async fn refuses_all(behind: &Behind, key: &str, cookie: &str) {
    let mut asked = Vec::new();
    for path in ["/", "/certificates/7"] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let request = || behind.request(method.clone(), path);
            asked.extend([
                request(),
                request().bearer_auth(key),
                request().header("Cookie", cookie),
            ]);
        }
    }
    let answers = asked.into_iter().map(|request| behind.send(request));
    for seen in futures_util::future::join_all(answers).await {
        assert!((502..=504).contains(&seen.status), "{seen:?}");
    }
    assert_eq!(behind.get("/public/x", None).await.status, 200);
    assert_eq!(
        behind.backend.seen().await,
        ["GET /certificates/7", "GET /public/x"]
    );
}
