//! `tigertrust man`.

use std::{fs, path::Path};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::{
    cli::{Cli, Common},
    failure::Failure,
    output,
};

pub fn run(common: &Common, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .map_err(|error| Failure::new(format!("{} cannot be made: {error}", folder.display())))?;
    let command = program();
    let mut written = Vec::new();
    write(&command, folder, &mut written)?;
    output::print(common.output, &written, |written| {
        format!("Wrote {} pages to {}.", written.len(), folder.display())
    })
}

/// The whole command line, as it is documented.
pub fn program() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Writes the page of a command, then those of the commands below it.
fn write(command: &clap::Command, folder: &Path, written: &mut Vec<String>) -> Result<(), Failure> {
    // Once it is built, that is the whole path with hyphens, as other pages refer to it.
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    fs::write(&path, page)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))?;
    written.push(format!("{name}.1"));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, folder, written)?;
    }
    Ok(())
}
