//! A node on SQLite whose disk is full.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_types::Text};
use reqwest::Method;

use super::{
    node::Node,
    site::{Settings, recovered},
    tally::Figures,
    traffic::Traffic,
    until,
    verify::verify,
};
use crate::free_port;

const PATIENCE: Duration = Duration::from_secs(90);
/// How many writes are refused before there is room again.
const REFUSED: usize = 20;

/// A small disk in memory, gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Result<Self, String> {
        std::fs::create_dir(&at).expect("a folder");
        let mount = ["-t", "tmpfs", "-o", "size=32m", "tmpfs"];
        let output = Command::new("mount").args(mount).arg(&at).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(at)),
            Ok(output) => Err(format!(
                "it takes root and the right to mount a tmpfs: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => Err(format!("mount does not run: {error}")),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

pub(super) async fn disk_full(program: &Path) -> Result<Figures, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::mount(folder.path().join("disk"))?;
    let file = disk.0.join("tigertrust.db");
    let database = format!("sqlite://{}", file.display());
    let settings = Settings::new(program, folder.path(), Vec::new());
    let people = settings.people(&database).await;
    let (listen, serve, url) = (free_port(), settings.clone(), database.clone());
    let command = move || serve.command(&url, &["serve", "--listen", &format!("127.0.0.1:{listen}")]);
    let node = Node::new(0, ([127, 0, 0, 1], listen).into(), folder.path(), None, command);
    let nodes = [Arc::new(node)];
    nodes[0].start();
    recovered(&nodes, &people.manager).await;
    let traffic = Traffic::begin(&nodes, &people).await;

    let filler = disk.0.join("filler");
    let mut filling = File::create(&filler).expect("a file");
    let tally = &traffic.clients.tally;
    let refused = tally.refused_writes();
    until("writes are refused", PATIENCE, async || {
        // What a checkpoint of the database gives back is taken too.
        while filling.write_all(&[0; 4096]).is_ok() {}
        tally.refused_writes() >= refused + REFUSED
    })
    .await;
    let mut reads = Vec::new();
    for path in ["/api/auth/check", "/api/auth/me", "/api/keys"] {
        let request = nodes[0].request(Method::GET, path).bearer_auth(&people.manager);
        let status = request.send().await.map_or(0, |answer| answer.status().as_u16());
        if status != 200 {
            tally.other(format!("{path} was answered {status} while the disk was full"));
        }
        reads.push(status);
    }
    drop(filling);
    std::fs::remove_file(&filler).expect("it was there");
    let from = Instant::now();
    let recovery = recovered(&nodes, &people.manager).await - from;
    traffic.more_revocations(20).await;
    let clients = traffic.end().await;
    let mut figures = verify(&clients, &settings, &database).await;
    figures.recovery = Some(recovery);
    let mut connection = SqliteConnection::establish(&file.display().to_string()).expect("it opens");
    let findings: Vec<Finding> = diesel::sql_query("PRAGMA integrity_check")
        .load(&mut connection)
        .expect("a finding");
    let findings: Vec<String> = findings
        .into_iter()
        .map(|finding| finding.integrity_check)
        .collect();
    if findings != ["ok"] {
        figures.other += 1;
    }
    figures.remarks.insert(
        0,
        format!(
            "reads meanwhile: {reads:?}; integrity_check: {}",
            findings.join("; ")
        ),
    );
    drop(nodes);
    Ok(figures)
}
