//! `/openapi.json` and `/docs`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use tigertrust_http::{Access, operations};
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    the_document_holds_every_operation_and_no_other,
    guarded_operations_show_how_they_refuse,
    the_pages_are_served_from_the_binary,
);

async fn document(server: &TestServer) -> Value {
    let answer = send(server.request(Method::GET, "/openapi.json")).await;
    assert_eq!(answer.status, 200);
    answer.body
}

async fn the_document_holds_every_operation_and_no_other(server: TestServer) {
    let document = document(&server).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut shown = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            shown.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut there = BTreeSet::new();
    for operation in operations() {
        let method = operation.method.as_ref().map_or("GET", |method| method.as_str());
        there.insert(format!("{method} {}", operation.path));
    }
    assert_eq!(shown, there);
}

async fn guarded_operations_show_how_they_refuse(server: TestServer) {
    let document = document(&server).await;
    for operation in operations() {
        let method = operation
            .method
            .as_ref()
            .map_or("get".to_owned(), |method| method.as_str().to_lowercase());
        let shown = &document["paths"][operation.path][method.as_str()];
        let guarded = !matches!(operation.access, Access::Anonymous);
        assert_eq!(
            shown["security"].is_array(),
            guarded,
            "{method} {}",
            operation.path
        );
        for status in ["401", "403", "503"] {
            let refusal =
                &shown["responses"][status]["content"]["application/problem+json"]["schema"]["$ref"];
            if guarded {
                assert_eq!(
                    refusal, "#/components/schemas/Problem",
                    "{method} {} {status}",
                    operation.path
                );
            }
        }
        if let Some(need) = operation.access.need()
            && let Some(scope) = &need.scope
        {
            let text = shown["description"].as_str().unwrap();
            assert!(
                text.contains(scope.as_str()),
                "{method} {}: {text}",
                operation.path
            );
        }
    }
}

async fn the_pages_are_served_from_the_binary(server: TestServer) {
    let page = send(server.request(Method::GET, "/docs/")).await;
    assert_eq!(page.status, 200);
    let html = page.body.as_str().unwrap();
    assert!(html.contains("swagger-ui") && html.contains("width=device-width"));
    assert!(!html.contains("://"), "the page must load nothing from elsewhere");
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    for asset in [
        "swagger-ui.css",
        "index.css",
        "swagger-ui-bundle.js",
        "swagger-initializer.js",
    ] {
        assert_eq!(
            send(server.request(Method::GET, &format!("/docs/{asset}")))
                .await
                .status,
            200,
            "{asset}"
        );
    }
    let head = send(server.request(Method::HEAD, "/docs/")).await;
    assert_eq!((head.status, &head.body), (page.status, &Value::Null));
    assert_eq!(head.header("content-type"), page.header("content-type"));
    let short = send(server.request(Method::GET, "/docs")).await;
    assert_eq!((short.status.as_u16(), short.header("location")), (307, "/docs/"));
}
