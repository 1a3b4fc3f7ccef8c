//! A rule for a path holds however the path is written.

use serde_json::json;

use crate::{behind::Behind, behind_each_proxy, raw};

behind_each_proxy!(a_rule_holds_however_the_path_is_written);

/// Ways to ask for `/certificates/7` that some backend understands.
const SPELLINGS: [&str; 22] = [
    "/certificates/7",
    "/certificates",
    "/certificates?x",
    "/CERTIFICATES/7",
    "/Certificates",
    "/%63ertificates/7",
    "/c%65rtificates/7",
    "/certificate%73",
    "//certificates/7",
    "/./certificates/7",
    "/x/../certificates/7",
    "/x/%2e%2e/certificates/7",
    "/x/%2E%2e/certificates/7",
    "/x/.%2e/certificates/7",
    "/public/../certificates/7",
    "/public/%2e%2e/certificates/7",
    "/public/..%2fcertificates/7",
    "/public%2f..%2fcertificates/7",
    "/public/..\\certificates/7",
    "/public/..%5ccertificates/7",
    "/public//..//certificates/7",
    "/certificates/../public/x",
];

async fn a_rule_holds_however_the_path_is_written(behind: Behind) {
    let without_scope = behind.key(&[], json!({})).await;
    let address = behind.proxy.address();
    for path in SPELLINGS {
        for target in [path.to_owned(), format!("http://{address}{path}")] {
            let head = format!(
                "GET {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                without_scope.secret
            );
            let answer = raw::exchange(address, head.as_bytes()).await;
            let status = raw::status(&answer);
            let reached = behind.backend.seen().await;
            // A proxy may pass it on as another path, by which it has looked the rule up.
            let as_another = reached.iter().all(|seen| seen.starts_with("GET /public/"));
            assert!(
                matches!(status, 400 | 403 | 404) || as_another,
                "{target}: {status}, and the backend was asked for {reached:?}"
            );
            assert!(as_another, "{target}: {reached:?}");
        }
    }
}
