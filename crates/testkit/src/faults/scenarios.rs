//! The scenarios over PostgreSQL: each breaks something, waits until that shows, mends it, and waits until all is well again.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use reqwest::Method;
use tokio::task::JoinSet;

use super::{
    limits::{Greedy, busiest, remark},
    node::Node,
    site::{DATABASE, MAX_STALENESS, NODES, Site, recovered},
    tally::{Figures, short},
    traffic::Traffic,
    until,
    verify::verify,
};

/// How many revocations are awaited before and after something is broken, over all nodes.
const SOME: usize = 30;
/// How long something that is broken may take to show, and to be well again.
const PATIENCE: Duration = Duration::from_secs(90);
/// The node that is broken where it is one of them.
const VICTIM: usize = 1;

/// Ends the clients once all has been well for a while, and looks for what is missing.
async fn finish(site: Site, traffic: Traffic, recovery: Option<Duration>, remarks: Vec<String>) -> Figures {
    traffic.more_revocations(SOME).await;
    let clients = traffic.end().await;
    let mut figures = verify(&clients, &site.settings, &site.database()).await;
    figures.recovery = recovery;
    figures.remarks.splice(0..0, remarks);
    figures
}

/// Waits until the node lets nobody in any more whom it has let in before.
async fn fails_closed(site: &Site, node: usize) {
    let node = &site.nodes[node];
    let what = format!("node {} fails closed", node.number());
    until(&what, PATIENCE, async || {
        status(node, &site.people.manager).await == 503
    })
    .await;
}

/// The status of a check; 0 where there is none.
async fn status(node: &Node, key: &str) -> u16 {
    let check = node.request(Method::GET, "/api/auth/check").bearer_auth(key);
    let answer = check.timeout(Duration::from_secs(30)).send().await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

/// Waits until every node works, and returns how long that took from then.
async fn recovery(site: &Site, from: Instant) -> Option<Duration> {
    let at = recovered(&site.nodes, &site.people.manager).await;
    for node in &site.nodes {
        node.repair();
    }
    Some(at - from)
}

pub(super) async fn node_killed(program: &Path) -> Figures {
    let site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    site.nodes[VICTIM].kill();
    traffic.more_revocations(SOME).await;
    let from = Instant::now();
    site.nodes[VICTIM].start();
    let recovery = recovery(&site, from).await;
    finish(site, traffic, recovery, Vec::new()).await
}

pub(super) async fn postgres_restarted(program: &Path) -> Figures {
    let mut site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    for node in &site.nodes {
        node.impair();
    }
    let killed = Instant::now();
    site.primary.kill();
    for node in 0..NODES {
        fails_closed(&site, node).await;
    }
    let closed = killed.elapsed();
    site.primary.start(false).await;
    let recovery = recovery(&site, Instant::now()).await;
    let remark = format!("every node refused known keys {} after the kill", short(closed));
    finish(site, traffic, recovery, vec![remark]).await
}

pub(super) async fn replica_promoted(program: &Path) -> Figures {
    let mut site = Site::start(program, true).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    for node in &site.nodes {
        node.impair();
    }
    let killed = Instant::now();
    site.primary.kill();
    site.primary = site.replica.take().expect("a replica");
    for node in 0..NODES {
        site.gate(node).lead_to(site.primary.address());
    }
    site.primary.promote();
    for node in 0..NODES {
        site.gate(node).open();
    }
    let from = Instant::now();
    let recovery = recovery(&site, from).await;
    let remark = format!(
        "promoted {} after the kill, recovery counted from there",
        short(from - killed)
    );
    finish(site, traffic, recovery, vec![remark]).await
}

pub(super) async fn valkey_killed(program: &Path) -> Figures {
    let mut site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    let greedy = Greedy::begin(&site.nodes, &site.people.watched);
    greedy.windows(3).await;
    site.valkey.kill();
    let away = greedy.windows(3).await;
    let logged: Vec<usize> = site.nodes.iter().map(|node| node.log().len()).collect();
    site.valkey.start_again();
    let back = Instant::now();
    for (node, seen) in site.nodes.iter().zip(logged) {
        until("limits are shared again", PATIENCE, async || {
            node.log()[seen..].contains("shared rate limits are back")
        })
        .await;
    }
    let recovery = Some(back.elapsed());
    let shared = greedy.windows(3).await;
    let (began, admitted) = greedy.end().await;
    let window = super::site::WINDOW;
    let end = shared + PATIENCE;
    let remarks = [
        ("with the store", began, away),
        ("across the loss", away - window, away + window),
        ("without it", away + window, back),
        ("across the return", back - window, back + window),
        ("with it again", shared + window, end),
    ]
    .map(|(phase, from, to)| remark(phase, busiest(&admitted, from, to)));
    finish(site, traffic, recovery, remarks.to_vec()).await
}

pub(super) async fn node_paused(program: &Path) -> Figures {
    let site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    let victim = &site.nodes[VICTIM];
    victim.impair();
    victim.pause();
    let paused = Instant::now();
    let journal = &traffic.clients.journal;
    // Long enough that it must not trust what it remembers, with secrets that ended at the begin and others that ended just now.
    until("keys are revoked meanwhile", PATIENCE, async || {
        paused.elapsed() > MAX_STALENESS + Duration::from_secs(2) && journal.ended_since(paused) > SOME
    })
    .await;
    let remark = format!(
        "{} secrets ended in the {} of the pause",
        journal.ended_since(paused),
        short(paused.elapsed())
    );
    let from = Instant::now();
    victim.wake();
    let recovery = recovery(&site, from).await;
    finish(site, traffic, recovery, vec![remark]).await
}

pub(super) async fn connection_cut(program: &Path) -> Figures {
    cut_off(program, crate::Gate::close).await
}

pub(super) async fn connection_held(program: &Path) -> Figures {
    cut_off(program, crate::Gate::hold).await
}

async fn cut_off(program: &Path, cut: impl Fn(&crate::Gate)) -> Figures {
    let site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    site.nodes[VICTIM].impair();
    let from = Instant::now();
    cut(site.gate(VICTIM));
    fails_closed(&site, VICTIM).await;
    let remark = format!(
        "the node that was cut off refused known keys after {}",
        short(from.elapsed())
    );
    // With the watchers of the node that is cut off, who see it refuse.
    traffic.more_revocations(SOME).await;
    let from = Instant::now();
    site.gate(VICTIM).open();
    let recovery = recovery(&site, from).await;
    finish(site, traffic, recovery, vec![remark]).await
}

pub(super) async fn database_slow(program: &Path) -> Figures {
    let site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    for node in &site.nodes {
        node.impair();
    }
    for node in 0..NODES {
        site.gate(node).slow(Duration::from_millis(100));
    }
    traffic.more_revocations(SOME / 2).await;
    // Too slow for anything: a way there and back takes longer than a statement may.
    let from = Instant::now();
    for node in 0..NODES {
        site.gate(node).slow(Duration::from_secs(4));
    }
    for node in 0..NODES {
        fails_closed(&site, node).await;
    }
    let remark = format!(
        "with 8 s a round trip, every node refused known keys after {}",
        short(from.elapsed())
    );
    let from = Instant::now();
    for node in 0..NODES {
        site.gate(node).open();
    }
    let recovery = recovery(&site, from).await;
    finish(site, traffic, recovery, vec![remark]).await
}

pub(super) async fn pool_exhausted(program: &Path) -> Figures {
    /// More requests than a pool has connections.
    const AT_ONCE: usize = 40;
    let site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    let lock = "BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(300)";
    let mut locking = site.primary.psql(DATABASE, lock);
    let mut locking = locking.stdout(Stdio::null()).spawn().expect("psql runs");
    let locked = "SELECT 1 FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'api_keys'::regclass";
    until("the table is locked", PATIENCE, async || {
        let mut psql = site.primary.psql(DATABASE, locked);
        psql.output().is_ok_and(|output| output.stdout.starts_with(b"1"))
    })
    .await;
    let from = Instant::now();
    let mut asking = JoinSet::new();
    for node in &site.nodes {
        for _ in 0..AT_ONCE {
            let (node, key) = (std::sync::Arc::clone(node), site.people.manager.clone());
            asking.spawn(async move {
                let list = node
                    .request(Method::GET, "/api/keys")
                    .bearer_auth(key)
                    .send()
                    .await;
                (list.map_or(0, |answer| answer.status().as_u16()), from.elapsed())
            });
        }
    }
    let answers = asking.join_all().await;
    let slowest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
    let refused = answers.iter().filter(|(status, _)| *status == 503).count();
    for (status, _) in answers.iter().filter(|(status, _)| *status != 503) {
        let what = format!("a list of keys that no connection was left for was answered {status}");
        traffic.clients.tally.other(what);
    }
    let mut known = Vec::new();
    for node in &site.nodes {
        known.push(status(node, &site.people.manager).await);
    }
    let remarks = vec![
        format!(
            "{refused} of {} requests at once were answered 503, the last after {}",
            answers.len(),
            short(slowest)
        ),
        format!("known keys meanwhile: {known:?}"),
    ];
    drop(locking.kill());
    drop(locking.wait());
    // The server does not notice that its client is gone while it sleeps.
    site.primary
        .try_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE%'",
        )
        .expect("an end");
    let recovery = recovery(&site, Instant::now()).await;
    finish(site, traffic, recovery, remarks).await
}

pub(super) async fn rolling_upgrade(program: &Path) -> Figures {
    let site = Site::start(program, false).await;
    let traffic = Traffic::begin(&site.nodes, &site.people).await;
    let database = site.database();
    // The nodes serve on with a schema that lacks the latest migration, as those of the version before it do.
    site.settings
        .run(&database, &["migrate", "revert", "--allow-data-loss"])
        .await;
    traffic.more_revocations(SOME / 2).await;
    site.settings.run(&database, &["migrate", "run"]).await;
    traffic.more_revocations(SOME / 2).await;
    let mut longest = Duration::ZERO;
    for node in &site.nodes {
        let from = Instant::now();
        node.stop().await;
        node.start();
        until("the node is ready again", PATIENCE, async || {
            node.is_ready().await
        })
        .await;
        longest = longest.max(from.elapsed());
    }
    let from = Instant::now();
    let recovery = recovery(&site, from).await;
    let remark = format!(
        "a restart took {} at the most, from SIGTERM until ready",
        short(longest)
    );
    finish(site, traffic, recovery.map(|rest| rest + longest), vec![remark]).await
}
