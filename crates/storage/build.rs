//! Builds anew when a migration is added: the macro that embeds them sees only those that were there. And it embeds their texts once
//! more, to be shown: diesel runs them, and does not tell them.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = env::var("CARGO_MANIFEST_DIR")?;
    // Two checkouts may share what is built.
    println!("cargo:rerun-if-env-changed=CARGO_MANIFEST_DIR");
    let mut code = String::new();
    for engine in ["postgres", "sqlite"] {
        println!("cargo:rerun-if-changed=migrations/{engine}");
        let folder = Path::new(&manifest).join("migrations").join(engine);
        let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        let mut folders: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        folders.sort_unstable();
        writeln!(
            code,
            "#[cfg(feature = \"{engine}\")]\npub(crate) const {}: &[(&str, &str)] = &[",
            engine.to_uppercase()
        )?;
        for folder in folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let up = folder.join("up.sql");
            writeln!(
                code,
                "    ({name:?}, include_str!({:?})),",
                up.display().to_string()
            )?;
        }
        writeln!(code, "];")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("texts.rs"), code)?;
    Ok(())
}
