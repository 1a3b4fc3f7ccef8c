//! Every command, with what it takes.

use std::fmt::Write;

use clap::{Arg, Command};

use super::markdown::{anchor, head, one_line, sentence};
use crate::commands::man;

pub(super) fn page() -> String {
    let program = man::program();
    let mut page = head(
        "Commands",
        "Every command with what it takes, as `--help` shows it. [Command line](../command-line.md) says what commands have \
         in common, what they print and how they end.",
    );
    let mut all = Vec::new();
    collect(&program, &mut all);
    page.push('\n');
    for command in &all {
        let name = name(command);
        writeln!(page, "- [`{name}`](#{})", anchor(&name)).unwrap();
    }
    page.push_str("\n## Of every command\n\n");
    for arg in program.get_arguments().filter(|arg| arg.is_global_set()) {
        argument(&mut page, arg);
    }
    for command in all {
        section(&mut page, command);
    }
    page
}

/// Those that do something, in the order of `--help`.
fn collect<'a>(command: &'a Command, all: &mut Vec<&'a Command>) {
    let below: Vec<&Command> = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .collect();
    if below.is_empty() {
        all.push(command);
    }
    for command in below {
        collect(command, all);
    }
}

/// The whole path, with blanks.
fn name(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    name.strip_prefix("tigertrust ").unwrap_or(name).to_owned()
}

fn section(page: &mut String, command: &Command) {
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about
        .map(|about| sentence(&about.to_string()))
        .unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    write!(
        page,
        "\n## {}\n\n{about}\n\n```text\n{usage}\n```\n\n",
        name(command)
    )
    .unwrap();
    let own = command.get_arguments().filter(|arg| {
        !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version"
    });
    for arg in own {
        argument(page, arg);
    }
    // A command that takes nothing ends with its usage.
    page.truncate(page.trim_end().len());
    page.push('\n');
}

fn argument(page: &mut String, arg: &Arg) {
    let takes_value = arg.get_action().takes_values();
    let value = arg.get_value_names().map(|names| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let value = value.unwrap_or_else(|| arg.get_id().as_str().to_uppercase());
    let shown = match arg.get_long() {
        None => value,
        Some(long) if takes_value => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
    };
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(|help| sentence(&help.to_string())).unwrap_or_default();
    write!(page, "- `{shown}`: {help}").unwrap();
    if arg.is_required_set() && arg.get_long().is_some() {
        page.push_str(" Needed.");
    }
    let values = arg.get_possible_values();
    if takes_value && !values.is_empty() && !arg.is_hide_possible_values_set() {
        let values: Vec<String> = values
            .iter()
            .map(|value| match value.get_help() {
                Some(help) => format!("`{}` ({})", value.get_name(), one_line(&help.to_string())),
                None => format!("`{}`", value.get_name()),
            })
            .collect();
        write!(page, " One of {}.", values.join(", ")).unwrap();
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if takes_value && !defaults.is_empty() {
        write!(page, " Default: `{}`.", defaults.join(" ")).unwrap();
    }
    if let Some(variable) = arg.get_env() {
        write!(page, " Environment: `{}`.", variable.to_string_lossy()).unwrap();
    }
    page.push('\n');
}
