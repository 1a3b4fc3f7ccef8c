//! The figures for Prometheus.

use std::collections::BTreeMap;

use reqwest::{Client, Method};

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    the_figures_are_on_a_listener_of_their_own,
    without_the_setting_nobody_reads_the_figures,
);

struct Figures {
    client: Client,
    address: String,
}

impl Figures {
    fn of(served: &mut Served) -> Self {
        let line = served.logged("serving metrics");
        let (_, address) = line.rsplit_once("\"address\":\"").unwrap();
        Self {
            client: Client::builder().no_proxy().build().unwrap(),
            address: address.split('"').next().unwrap().to_owned(),
        }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let request = self.client.get(format!("http://{}{path}", self.address));
        request.send().await.unwrap()
    }

    /// The samples, by series.
    async fn read(&self) -> BTreeMap<String, f64> {
        let text = self.get("/metrics").await.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect()
    }
}

async fn the_figures_are_on_a_listener_of_their_own(folder: Folder) {
    let environment = [
        ("TIGERTRUST__METRICS__LISTEN", "127.0.0.1:0"),
        ("TIGERTRUST__LOG__FORMAT", "json"),
    ];
    let mut served = folder.quickstart_in(&environment, &[]);
    let figures = Figures::of(&mut served);
    let before = figures.read().await;
    for series in [
        "tigertrust_database_connections_idle",
        "tigertrust_database_connections_in_use",
        "tigertrust_feed_staleness_seconds",
        "tigertrust_hashing_queued",
        "tigertrust_hashing_refused_total",
        "tigertrust_hashing_running",
        "tigertrust_mails_failed_total",
        "tigertrust_mails_queued",
        "tigertrust_mails_sent_total",
        "tigertrust_credential_failures_refused_total",
        "tigertrust_rate_limit_alone",
        "tigertrust_rate_limit_decided_alone_total",
        "tigertrust_rate_limit_refused_total",
        "tigertrust_rate_limit_shadow_refused_total",
        "tigertrust_rate_limit_states",
        "tigertrust_start_time_seconds",
        "tigertrust_usage_calls_lost_total",
        "tigertrust_usage_counts_waiting",
    ] {
        assert!(before.contains_key(series), "{series}: {before:?}");
    }
    assert!(
        before
            .keys()
            .any(|series| series.starts_with("tigertrust_build_info{version="))
    );
    assert!(before["tigertrust_start_time_seconds"] > 1_700_000_000.0);

    assert_eq!(served.check(served.text("agentKey")).await, 200);
    assert_eq!(served.check("nonsense").await, 401);
    let forgot = served.request(Method::POST, "/api/auth/password/forgot");
    let forgot = forgot.json(&serde_json::json!({ "email": served.text("email") }));
    assert!(forgot.send().await.unwrap().status().is_success());
    let after = figures.read().await;
    assert_eq!(after["tigertrust_http_responses_total{code=\"200\"}"], 1.0);
    assert_eq!(after["tigertrust_http_responses_total{code=\"401\"}"], 1.0);
    assert!(after["tigertrust_feed_staleness_seconds"] < 5.0);
    let mails = after["tigertrust_mails_sent_total"] + after["tigertrust_mails_queued"];
    assert!((mails - 1.0).abs() < f64::EPSILON, "{after:?}");
    let connections =
        after["tigertrust_database_connections_idle"] + after["tigertrust_database_connections_in_use"];
    assert!(connections >= 1.0, "{after:?}");

    // Neither listener shows what is the other's.
    assert_eq!(figures.get("/healthz").await.status(), 404);
    let metrics = served.request(Method::GET, "/metrics");
    assert_eq!(metrics.send().await.unwrap().status(), 404);
    let kind = figures.get("/metrics").await.headers()["content-type"].clone();
    assert!(kind.to_str().unwrap().starts_with("application/openmetrics-text"));
}

async fn without_the_setting_nobody_reads_the_figures(folder: Folder) {
    let served = folder.quickstart(&[]);
    assert_eq!(served.check(served.text("agentKey")).await, 200);
    let log = served.stop();
    assert!(!log.contains("serving metrics"), "{log}");
}
