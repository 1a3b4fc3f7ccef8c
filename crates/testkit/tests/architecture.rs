//! The architecture, as far as a machine can check it: who may depend on whom, what a crate may not
//! know, and that both engines get every migration.
//!
//! Development dependencies are free: a test may reach for anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a crate may use of this workspace.
enum Reach {
    Nothing,
    Only(&'static [&'static str]),
    AllAbove,
    AllAboveBut(&'static [&'static str]),
    Anything,
}
use Reach::{AllAbove, AllAboveBut, Anything, Nothing, Only};

/// Directory, package, and what it may use; "above" means the rows before it. A row may stand here
/// before its crate exists, but no crate may exist without a row.
const TABLE: &[(&str, &str, Reach)] = &[
    ("crates/model", "tigertrust-model", Nothing),
    (
        "crates/rate-limit",
        "tigertrust-rate-limit",
        Only(&["tigertrust-model"]),
    ),
    (
        "crates/credentials",
        "tigertrust-credentials",
        Only(&["tigertrust-model", "tigertrust-rate-limit"]),
    ),
    (
        "crates/accounts",
        "tigertrust-accounts",
        Only(&["tigertrust-model", "tigertrust-credentials"]),
    ),
    ("crates/outbound", "tigertrust-outbound", Nothing),
    (
        "crates/sso",
        "tigertrust-sso",
        Only(&[
            "tigertrust-model",
            "tigertrust-credentials",
            "tigertrust-accounts",
            "tigertrust-outbound",
        ]),
    ),
    (
        "crates/notify",
        "tigertrust-notify",
        Only(&["tigertrust-model", "tigertrust-accounts", "tigertrust-outbound"]),
    ),
    (
        "crates/passkeys",
        "tigertrust-passkeys",
        Only(&[
            "tigertrust-model",
            "tigertrust-credentials",
            "tigertrust-accounts",
        ]),
    ),
    ("crates/storage", "tigertrust-storage", AllAbove),
    (
        "crates/wire",
        "tigertrust-wire",
        Only(&[
            "tigertrust-model",
            "tigertrust-credentials",
            "tigertrust-accounts",
        ]),
    ),
    (
        "crates/client",
        "tigertrust-client",
        Only(&["tigertrust-model", "tigertrust-wire"]),
    ),
    (
        "crates/http",
        "tigertrust-http",
        AllAboveBut(&["tigertrust-storage", "tigertrust-client"]),
    ),
    (
        "crates/dashboard",
        "tigertrust-dashboard",
        AllAboveBut(&["tigertrust-storage", "tigertrust-client"]),
    ),
    ("crates/tigertrust", "tigertrust", AllAbove),
    ("crates/testkit", "tigertrust-testkit", Anything),
    ("bins/tigertrust", "tigertrust-server", Anything),
];

/// The crates that decide: they know neither the web framework nor the database layer.
const CORE: &[&str] = &[
    "tigertrust-model",
    "tigertrust-rate-limit",
    "tigertrust-credentials",
    "tigertrust-accounts",
];

/// The testkit plays whoever has the database and writes past the program.
const NAMES_DIESEL: &[&str] = &["tigertrust-storage", "tigertrust-testkit"];
const NAMES_ACTIX: &[&str] = &[
    "tigertrust-http",
    "tigertrust-dashboard",
    "tigertrust-testkit",
    "tigertrust-server",
];
/// These serve other frameworks as well, so actix is a choice of whoever embeds them.
const NAMES_ACTIX_OPTIONALLY: &[&str] = &["tigertrust-client", "tigertrust"];

#[test]
fn every_crate_stands_in_the_table() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in &workspace.members {
        let stands = TABLE.iter().any(|(directory, package, _)| {
            *package == member.package && member.directory == Path::new(directory)
        });
        if !stands {
            violations.push(format!(
                "{} in {} has no row in the table of the architecture",
                member.package,
                member.directory.display(),
            ));
        }
    }
    assert_none(&violations);
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in &workspace.members {
        let Some(allowed) = allowed_dependencies(&member.package) else {
            continue; // the test above tells
        };
        for dependency in member.shipped_dependencies() {
            if dependency.is_ours && !allowed.contains(dependency.name.as_str()) {
                violations.push(format!(
                    "{} must not depend on {}",
                    member.package, dependency.name
                ));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn core_crates_know_neither_actix_nor_diesel() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in workspace
        .members
        .iter()
        .filter(|member| CORE.contains(&member.package.as_str()))
    {
        for dependency in member.shipped_dependencies() {
            if dependency.is_actix() || dependency.is_diesel() {
                violations.push(format!("{} must not know {}", member.package, dependency.name));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn only_storage_and_the_testkit_name_diesel() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in &workspace.members {
        let may = NAMES_DIESEL.contains(&member.package.as_str());
        for dependency in member.shipped_dependencies() {
            if dependency.is_diesel() && !may {
                violations.push(format!("{} must not name {}", member.package, dependency.name));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn only_the_program_names_opentelemetry_and_can_do_without() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in &workspace.members {
        for dependency in member.shipped_dependencies() {
            let is_of_it = dependency.is_of("opentelemetry") || dependency.is_of("tracing-opentelemetry");
            if is_of_it && !(member.package == "tigertrust-server" && dependency.is_optional) {
                violations.push(format!("{} must not name {}", member.package, dependency.name));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn only_the_http_side_names_actix() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in &workspace.members {
        let may = NAMES_ACTIX.contains(&member.package.as_str());
        let may_optionally = NAMES_ACTIX_OPTIONALLY.contains(&member.package.as_str());
        for dependency in member
            .shipped_dependencies()
            .filter(|dependency| dependency.is_actix())
        {
            if may_optionally && !dependency.is_optional {
                violations.push(format!(
                    "{} may name {} only as optional",
                    member.package, dependency.name
                ));
            } else if !may && !may_optionally {
                violations.push(format!("{} must not name {}", member.package, dependency.name));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn model_is_pure_values() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in workspace
        .members
        .iter()
        .filter(|member| member.package == "tigertrust-model")
    {
        for dependency in member.shipped_dependencies() {
            if ["serde", "tokio", "async-trait"]
                .iter()
                .any(|family| dependency.is_of(family))
            {
                violations.push(format!("{} must not name {}", member.package, dependency.name));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn testkit_is_not_published() {
    let workspace = Workspace::read();
    let published = workspace
        .members
        .iter()
        .any(|member| member.package == "tigertrust-testkit" && member.is_published);
    assert!(!published, "tigertrust-testkit must say `publish = false`");
}

/// The workspace forbids unsafe code once, for whoever takes its lints; so each crate must take them.
#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let workspace = Workspace::read();
    let mut violations = Vec::new();
    for member in &workspace.members {
        let manifest = workspace.root.join(&member.directory).join("Cargo.toml");
        if !has_entry(&manifest, "[lints]", "workspace = true") {
            violations.push(format!("{} must say `[lints] workspace = true`", member.package));
        }
    }
    if !has_entry(
        &workspace.root.join("Cargo.toml"),
        "[workspace.lints.rust]",
        "unsafe_code = \"forbid\"",
    ) {
        violations.push("the workspace must forbid unsafe_code".to_owned());
    }
    assert_none(&violations);
}

#[test]
fn both_engines_have_every_migration() {
    let migrations = workspace_root().join("migrations");
    let postgres = directories(&migrations.join("postgres"));
    let sqlite = directories(&migrations.join("sqlite"));
    assert!(
        !postgres.is_empty(),
        "there is no migration in {}",
        migrations.join("postgres").display()
    );

    let mut violations = Vec::new();
    for (engine, own, other) in [("postgres", &postgres, &sqlite), ("sqlite", &sqlite, &postgres)] {
        for name in own.difference(other) {
            violations.push(format!(
                "migration {name} of {engine} is missing on the other engine"
            ));
        }
        for name in own {
            for direction in ["up.sql", "down.sql"] {
                if !migrations.join(engine).join(name).join(direction).is_file() {
                    violations.push(format!("migration {name} of {engine} has no {direction}"));
                }
            }
        }
    }
    assert_none(&violations);
}

/// What `Cargo.toml` promises is what the workflow builds with, and what embedders read.
#[test]
fn one_rust_version_is_promised_built_with_and_told() {
    let root = workspace_root();
    let read =
        |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let version = quoted_after(&read("Cargo.toml"), "rust-version = ");
    let [version] = &version[..] else {
        panic!("Cargo.toml states one rust-version, and not {version:?}");
    };

    let mut violations = Vec::new();
    let workflow = read(".github/workflows/ci.yml");
    let toolchains = quoted_after(&workflow, "RUSTUP_TOOLCHAIN: ");
    if toolchains != [format!("{version}.0")] {
        violations.push(format!(
            "the workflow must build with {version}.0, and not {toolchains:?}"
        ));
    }
    let installs = workflow.lines().filter(|line| line.contains("toolchain install"));
    for install in installs.filter(|line| !line.contains("toolchain install \"$RUSTUP_TOOLCHAIN\"")) {
        violations.push(format!("the workflow installs another toolchain:{install}"));
    }
    for path in ["crates/tigertrust/src/guide.md", "docs/src/embedding.md"] {
        if !read(path).contains(&format!("Rust {version}")) {
            violations.push(format!("{path} must tell that Rust {version} is needed"));
        }
    }
    let metadata = Workspace::read();
    for member in &metadata.members {
        if member.rust_version.as_ref() != Some(version) {
            violations.push(format!(
                "{} must say `rust-version.workspace = true`",
                member.package
            ));
        }
    }
    assert_none(&violations);
}

/// What stands between quotes behind a name, wherever a line begins with it.
fn quoted_after(text: &str, name: &str) -> Vec<String> {
    let values = text.lines().filter_map(|line| line.trim().strip_prefix(name));
    values.map(|value| value.trim_matches('"').to_owned()).collect()
}

struct Workspace {
    root: PathBuf,
    members: Vec<Member>,
}

struct Member {
    package: String,
    /// Seen from the root of the workspace.
    directory: PathBuf,
    rust_version: Option<String>,
    is_published: bool,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    is_ours: bool,
    is_optional: bool,
    is_for_development: bool,
}

impl Workspace {
    /// Reads the manifests through cargo, which knows about renames and inherited dependencies.
    fn read() -> Self {
        let root = workspace_root();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| env!("CARGO").to_owned());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );

        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
        let members: Vec<_> = array(&metadata["packages"])
            .iter()
            .map(|package| Member::read(package, &root))
            .collect();
        assert!(!members.is_empty(), "cargo metadata names no package");
        Self { root, members }
    }
}

impl Member {
    fn read(package: &Value, root: &Path) -> Self {
        let manifest = Path::new(text(&package["manifest_path"]));
        let directory = manifest
            .parent()
            .and_then(|directory| directory.strip_prefix(root).ok());
        Self {
            package: text(&package["name"]).to_owned(),
            directory: directory.expect("a member lies within the workspace").to_owned(),
            rust_version: package["rust_version"].as_str().map(str::to_owned),
            // `publish = false` is told as a list of no registries, its absence as null.
            is_published: package["publish"]
                .as_array()
                .is_none_or(|registries| !registries.is_empty()),
            dependencies: array(&package["dependencies"])
                .iter()
                .map(Dependency::read)
                .collect(),
        }
    }

    /// What a user of the crate gets along with it.
    fn shipped_dependencies(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies
            .iter()
            .filter(|dependency| !dependency.is_for_development)
    }
}

impl Dependency {
    fn read(dependency: &Value) -> Self {
        let name = text(&dependency["name"]).to_owned();
        Self {
            is_ours: dependency["path"].is_string() || TABLE.iter().any(|(_, package, _)| *package == name),
            is_optional: dependency["optional"].as_bool().expect("optional is a flag"),
            is_for_development: dependency["kind"].as_str() == Some("dev"),
            name,
        }
    }

    /// Whether this is the crate `family` or one of those named after it, such as `serde_json`.
    fn is_of(&self, family: &str) -> bool {
        self.name
            .strip_prefix(family)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    }

    fn is_actix(&self) -> bool {
        self.is_of("actix")
    }

    fn is_diesel(&self) -> bool {
        self.is_of("diesel")
    }
}

fn allowed_dependencies(package: &str) -> Option<BTreeSet<&'static str>> {
    let row = TABLE.iter().position(|(_, name, _)| *name == package)?;
    let all = || TABLE.iter().map(|(_, name, _)| *name);
    Some(match &TABLE[row].2 {
        Nothing => BTreeSet::new(),
        Only(names) => names.iter().copied().collect(),
        AllAbove => all().take(row).collect(),
        AllAboveBut(names) => all().take(row).filter(|name| !names.contains(name)).collect(),
        Anything => all().collect(),
    })
}

fn workspace_root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in crates/");
    crates.parent().expect("crates/ lies in the workspace").to_owned()
}

/// Whether a section of a manifest holds exactly this line. The manifests are plain enough for that.
fn has_entry(manifest: &Path, section: &str, entry: &str) -> bool {
    let manifest = fs::read_to_string(manifest).expect("a manifest can be read");
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|line| line == section)
        && lines
            .take_while(|line| !line.starts_with('['))
            .any(|line| line == entry)
}

fn directories(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries
        .map(|entry| entry.expect("a directory can be listed"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            entry
                .file_name()
                .into_string()
                .expect("a migration has a plain name")
        })
        .collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("cargo metadata holds a list here")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo metadata holds a text here")
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(
        violations.is_empty(),
        "the architecture is broken:\n  {}",
        violations.join("\n  ")
    );
}
