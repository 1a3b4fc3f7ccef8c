//! `tigertrust completions`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{
    Generator,
    aot::{Bash, Fish, Zsh},
};
use serde::Serialize;

use crate::{
    cli::{Cli, Common, CompletionShell, OutputFormat},
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct Completions {
    shell: &'static str,
    script: String,
}

pub fn run(common: &Common, shell: CompletionShell) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.set_bin_name("tigertrust");
    command.build();
    let mut script = Vec::new();
    let shell = match shell {
        CompletionShell::Bash => generate(Bash, "bash", &command, &mut script),
        CompletionShell::Zsh => generate(Zsh, "zsh", &command, &mut script),
        CompletionShell::Fish => generate(Fish, "fish", &command, &mut script),
    }?;
    if common.output == OutputFormat::Text {
        let mut out = io::stdout().lock();
        out.write_all(&script)?;
        return Ok(out.flush()?);
    }
    let script = String::from_utf8_lossy(&script).into_owned();
    output::print(common.output, &Completions { shell, script }, |_| String::new())
}

fn generate(
    generator: impl Generator,
    name: &'static str,
    command: &clap::Command,
    script: &mut Vec<u8>,
) -> Result<&'static str, Failure> {
    generator.try_generate(command, script)?;
    Ok(name)
}
