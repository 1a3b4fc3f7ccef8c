//! Limits of rates over the life of real servers.

use tigertrust_testkit::{ThrowawayValkey, eventually};

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    what_was_spent_outlives_a_stop,
    limits_are_shared_while_the_store_is_there_and_by_each_server_while_not,
    a_mistake_in_the_limits_is_named,
);

/// A window that does not end before the test does.
const PLANS: (&str, &str) = ("TIGERTRUST__RATE_LIMIT__PLANS", "free=10/1d");

async fn admitted(served: &Served, key: &str, calls: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..calls {
        match served.check(key).await {
            200 => admitted += 1,
            429 => {}
            other => panic!("{other}"),
        }
    }
    admitted
}

async fn what_was_spent_outlives_a_stop(folder: Folder) {
    let first = folder.quickstart_in(&[PLANS], &[]);
    let key = first.text("agentKey").to_owned();
    assert_eq!(admitted(&first, &key, 4).await, 4);
    first.stop();
    let second = folder.quickstart_in(&[PLANS], &[]);
    assert_eq!(admitted(&second, &key, 10).await, 6);
    // As documented, a crash grants one fresh quota.
    second.kill();
    assert_eq!(admitted(&folder.quickstart_in(&[PLANS], &[]), &key, 20).await, 10);
}

async fn limits_are_shared_while_the_store_is_there_and_by_each_server_while_not(folder: Folder) {
    let mut valkey = ThrowawayValkey::start();
    let url = valkey.url();
    let environment = [
        PLANS,
        ("TIGERTRUST__RATE_LIMIT__URL", url.as_str()),
        // The machine of a test may be slow.
        ("TIGERTRUST__RATE_LIMIT__DEADLINE", "1s"),
        ("TIGERTRUST__LOG__FORMAT", "json"),
        ("TIGERTRUST__LOG__FILTER", "info"),
    ];
    let mut one = folder.quickstart_in(&environment, &[]);
    let key = one.text("agentKey").to_owned();
    let other = folder.quickstart_in(&environment, &[]);
    assert_eq!(admitted(&one, &key, 6).await, 6);
    assert_eq!(admitted(&other, &key, 10).await, 4);
    assert_eq!(admitted(&one, &key, 5).await, 0);
    valkey.kill();
    // Each has granted its share, or all but one of it, so that no more than that one is granted anew.
    let (one_more, another) = (admitted(&one, &key, 5).await, admitted(&other, &key, 5).await);
    assert!(one_more + another <= 6, "{one_more} and {another}");
    let away = one.logged("shared rate limits are away");
    assert!(away.contains("WARN"), "{away}");
    valkey.start_again();
    let back = one.logged("shared rate limits are back");
    assert!(back.contains("INFO"), "{back}");
    // The store has come back empty: the limit holds over both again.
    eventually(true, async || {
        admitted(&one, &key, 1).await + admitted(&other, &key, 1).await == 0
    })
    .await;
}

async fn a_mistake_in_the_limits_is_named(folder: Folder) {
    for (name, value, named) in [
        ("PLANS", "free=60", "rate_limit.plans"),
        ("PLANS", "Free=60/1m", "rate_limit.plans"),
        ("PLANS", "free=1000/1h,60/1m", "rate_limit.plans"),
        ("PLANS", "free=60/1m free=70/1m", "free: is there twice"),
        ("INSTANCE", "60", "rate_limit.instance"),
        ("SESSIONS", "0/1m", "rate_limit.sessions"),
        ("DEADLINE", "2s", "rate_limit.deadline"),
        ("URL", "http://:secret@localhost", "rate_limit.url"),
    ] {
        let mut command = folder.command(&["config", "check"]);
        command.env(format!("TIGERTRUST__RATE_LIMIT__{name}"), value);
        let message = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(message.contains(named), "{name}={value}: {message}");
        assert!(!message.contains("secret"), "{message}");
    }
}
