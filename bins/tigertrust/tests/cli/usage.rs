//! What becomes of counted calls when a server ends.

use reqwest::Method;
use serde_json::Value;
use tigertrust_testkit::eventually;

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    a_stop_loses_no_count,
    a_crash_loses_no_more_than_what_was_counted_since_the_last_second,
);

/// More than a test calls.
const PLANS: (&str, &str) = ("TIGERTRUST__RATE_LIMIT__PLANS", "free=100000/1m,1000000/1h");

async fn use_key(served: &Served, key: &str, calls: u64) {
    for _ in 0..calls {
        assert_eq!(served.check(key).await, 200);
    }
}

/// How often the first public key was used. Asked with the agent key, which counts for itself.
async fn counted(served: &Served, agent: &str) -> u64 {
    let request = served.request(Method::GET, "/api/usage?groupBy=key");
    let answer = request.bearer_auth(agent).send().await.unwrap();
    let usage: Value = answer.json().await.unwrap();
    let keys = usage["keys"].as_array().unwrap();
    let public = keys.iter().find(|key| key["name"] == "First public key");
    public.map_or(0, |key| key["total"].as_u64().unwrap())
}

async fn a_stop_loses_no_count(folder: Folder) {
    let first = folder.quickstart_in(&[PLANS], &[]);
    let (agent, public) = (
        first.text("agentKey").to_owned(),
        first.text("publicKey").to_owned(),
    );
    use_key(&first, &public, 25).await;
    first.stop();
    let second = folder.quickstart_in(&[PLANS], &[]);
    assert_eq!(counted(&second, &agent).await, 25);
}

async fn a_crash_loses_no_more_than_what_was_counted_since_the_last_second(folder: Folder) {
    let first = folder.quickstart_in(&[PLANS], &[]);
    let (agent, public) = (
        first.text("agentKey").to_owned(),
        first.text("publicKey").to_owned(),
    );
    use_key(&first, &public, 25).await;
    eventually(25, async || counted(&first, &agent).await).await;
    use_key(&first, &public, 10).await;
    first.kill();
    let second = folder.quickstart_in(&[PLANS], &[]);
    let kept = counted(&second, &agent).await;
    println!(
        "{} of 10 calls were lost that came just before the crash",
        35 - kept
    );
    assert!((25..=35).contains(&kept), "{kept}");
}
