//! `security.md` 39: time does not go back, also over a restart, until an operator says so.

use tigertrust_testkit::eventually;

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(time_does_not_go_back_over_a_restart_until_an_operator_says_so);

async fn time_does_not_go_back_over_a_restart_until_an_operator_says_so(folder: Folder) {
    let served = folder.quickstart(&[]);
    let key = folder.json(&["key", "create", "--name", "ci", "--expires-in", "1d"]);
    let secret = key["key"].as_str().unwrap();
    assert_eq!(served.check(secret).await, 200);
    let status = folder.json(&["clock", "status"]);
    assert_eq!(
        (&status["behindSeconds"], &status["resets"]),
        (&0.into(), &0.into())
    );
    served.stop();
    let stopped = folder.json(&["clock", "status"]);
    assert!(
        stopped["latestSeen"].as_str() > status["latestSeen"].as_str(),
        "a server that is told to stop says how late it is: {stopped}"
    );

    // As if that server had run long after the key expired, and then the clock of the machine had been set back.
    folder.sql("UPDATE clock_mark SET latest = '2099-01-01 00:00:00.000000+00:00'");
    let status = folder.json(&["clock", "status"]);
    assert!(status["inUse"].as_str().unwrap().starts_with("2099-01-01T00:"));
    assert!(status["behindSeconds"].as_u64().unwrap() > 3600);
    let mut served = folder.quickstart(&[]);
    assert_eq!(served.check(secret).await, 401);
    served.logged("is behind the latest time that a server over this database has seen");

    assert!(folder.failure(&["clock", "reset"]).contains("--yes"));
    let reset = folder.json(&["clock", "reset", "--yes"]);
    assert_eq!(
        (&reset["behindSeconds"], &reset["resets"]),
        (&0.into(), &1.into())
    );
    // The server follows without a restart.
    eventually(200, async || served.check(secret).await).await;
    let logged = folder.json(&["audit", "list", "--action", "clock.reset"]);
    assert_eq!(logged["items"][0]["actor"]["type"], "operator");
    served.stop();
    let status = folder.json(&["clock", "status"]);
    assert_eq!(status["behindSeconds"], 0, "{status}");
}
