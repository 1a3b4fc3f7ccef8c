//! The figures for Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use reqwest::{Client, Method};

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    the_figures_are_on_a_listener_of_their_own,
    without_the_setting_nobody_reads_the_figures,
    what_is_deployed_and_documented_names_figures_that_exist,
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

    async fn text(&self) -> String {
        let text = self.get("/metrics").await.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        text
    }

    /// The names that samples may have, those included that there are none of yet.
    async fn names(&self) -> BTreeSet<String> {
        let text = self.text().await;
        let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        families
            .flat_map(|family| {
                let (name, kind) = family.split_once(' ').unwrap();
                let suffixes: &[&str] = match kind {
                    "counter" => &["_total"],
                    "histogram" => &["_bucket", "_count", "_sum"],
                    "info" => &["_info"],
                    _ => &[""],
                };
                suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
            })
            .collect()
    }

    /// The samples, by series.
    async fn read(&self) -> BTreeMap<String, f64> {
        let text = self.text().await;
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
    assert!(
        before
            .keys()
            .any(|series| series.starts_with("tigertrust_build_info{version="))
    );
    assert!(before["tigertrust_start_time_seconds"] > 1_700_000_000.0);

    for _ in 0..3 {
        assert_eq!(served.check(served.text("agentKey")).await, 200);
    }
    assert_eq!(served.check("ak_nonsense").await, 401);
    let login = served.request(Method::POST, "/api/auth/login");
    let login = login.json(&serde_json::json!({ "email": served.text("email"), "password": "a wrong one" }));
    assert_eq!(login.send().await.unwrap().status(), 401);
    let forgot = served.request(Method::POST, "/api/auth/password/forgot");
    let forgot = forgot.json(&serde_json::json!({ "email": served.text("email") }));
    assert!(forgot.send().await.unwrap().status().is_success());
    let after = figures.read().await;
    let check = "method=\"GET\",route=\"/api/auth/check\"";
    for (series, value) in [
        ("tigertrust_http_responses_total{code=\"200\"}".to_owned(), 3.0),
        ("tigertrust_http_responses_total{code=\"401\"}".to_owned(), 2.0),
        (
            "tigertrust_http_problems_total{code=\"UNAUTHORIZED\"}".to_owned(),
            2.0,
        ),
        (
            format!("tigertrust_http_request_duration_seconds_count{{{check}}}"),
            4.0,
        ),
        (
            format!("tigertrust_http_request_duration_seconds_bucket{{le=\"+Inf\",{check}}}"),
            4.0,
        ),
        ("tigertrust_key_checks_total{outcome=\"VALID\"}".to_owned(), 3.0),
        (
            "tigertrust_key_checks_total{outcome=\"UNAUTHORIZED\"}".to_owned(),
            1.0,
        ),
        ("tigertrust_cache_hits_total{cache=\"keys\"}".to_owned(), 2.0),
        ("tigertrust_cache_misses_total{cache=\"keys\"}".to_owned(), 1.0),
        ("tigertrust_cache_entries{cache=\"keys\"}".to_owned(), 1.0),
        ("tigertrust_key_lookup_duration_seconds_count".to_owned(), 1.0),
        ("tigertrust_hashing_duration_seconds_count".to_owned(), 1.0),
        ("tigertrust_database_connection_timeouts_total".to_owned(), 0.0),
        (
            "tigertrust_audit_events_total{action=\"session.started\",outcome=\"refused\"}".to_owned(),
            1.0,
        ),
    ] {
        assert_eq!(after.get(&series), Some(&value), "{series}: {after:#?}");
    }
    assert!(after["tigertrust_key_lookup_duration_seconds_sum"] > 0.0);
    assert!(after["tigertrust_hashing_duration_seconds_sum"] > 0.0);
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

/// What a text calls figures of ours.
fn named_in(text: &str) -> BTreeSet<String> {
    let is_name = |letter: &char| letter.is_ascii_lowercase() || *letter == '_';
    let named = text.split("tigertrust_").skip(1).map(|rest| {
        let name: String = rest.chars().take_while(is_name).collect();
        format!("tigertrust_{name}")
    });
    named.collect()
}

async fn what_is_deployed_and_documented_names_figures_that_exist(folder: Folder) {
    let environment = [
        ("TIGERTRUST__METRICS__LISTEN", "127.0.0.1:0"),
        ("TIGERTRUST__LOG__FORMAT", "json"),
    ];
    let mut served = folder.quickstart_in(&environment, &[]);
    let names = Figures::of(&mut served).names().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();

    for path in [
        "deploy/grafana/tigertrust.json",
        "deploy/prometheus/tigertrust.rules.yml",
    ] {
        let named = named_in(&read(path));
        assert!(named.len() > 10, "{path}: {named:?}");
        let unknown: Vec<_> = named.difference(&names).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
    // The table has every one, and no other; of a histogram it has the name that the three have in common.
    let handbook = read("docs/src/operations/production.md");
    let rows = handbook.lines().filter(|line| line.starts_with("| `tigertrust_"));
    let documented: BTreeSet<_> = rows.flat_map(named_in).collect();
    let families = names.iter().map(|name| {
        let family = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        family.unwrap_or(name).to_owned()
    });
    assert_eq!(documented, families.collect());
}

async fn without_the_setting_nobody_reads_the_figures(folder: Folder) {
    let served = folder.quickstart(&[]);
    assert_eq!(served.check(served.text("agentKey")).await, 200);
    let log = served.stop();
    assert!(!log.contains("serving metrics"), "{log}");
}
