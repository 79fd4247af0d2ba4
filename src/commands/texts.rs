//! `schema`, `completions` and `man`: texts about odrwatch itself, on the standard output.

use clap_complete::Shell;
use clap_mangen::Man;

use super::args::{Cli, SchemaName};
use super::exit::ExitCode;
use super::failure::Failure;
use super::output;
use crate::config;

/// Prints a JSON Schema.
///
/// # Errors
/// 69 where the standard output cannot be written.
pub fn schema(name: SchemaName) -> Result<(), Failure> {
    let text = match name {
        SchemaName::Config => config::config_schema(),
        SchemaName::Events => config::events_schema(),
        SchemaName::Alerts => config::alerts_schema(),
        SchemaName::Advice => config::advice_schema(),
    };
    output::print(text.as_bytes())
}

/// Prints the completions for a shell.
///
/// # Errors
/// 69 where the standard output cannot be written.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), "odrwatch", &mut script);
    output::print(&script)
}

/// Prints the manual: one page, with a section for each command.
///
/// # Errors
/// 69 where the standard output cannot be written.
pub fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    manual(&mut page).map_err(|error| Failure::new(ExitCode::Software, error))?;
    output::print(&page)
}

fn manual(page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut whole = Cli::definition();
    whole.build();
    let top = Man::new(whole.clone());
    top.render_title(page)?;
    top.render_name_section(page)?;
    top.render_synopsis_section(page)?;
    top.render_description_section(page)?;
    top.render_options_section(page)?;
    for command in whole.get_subcommands().filter(|command| command.get_name() != "help") {
        write_command(command, page)?;
        for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
            write_command(part, page)?;
        }
    }
    top.render_extra_section(page)?;
    top.render_version_section(page)
}

/// A command as a section of its own: the generator's headings become those of parts.
fn write_command(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    let own = command.clone().mut_args(|arg| {
        let is_global = arg.is_global_set();
        arg.hide(is_global)
    });
    let man = Man::new(own);
    let mut part = Vec::new();
    man.render_description_section(&mut part)?;
    man.render_synopsis_section(&mut part)?;
    man.render_options_section(&mut part)?;
    man.render_extra_section(&mut part)?;
    let part = String::from_utf8_lossy(&part).replace(".SH ", ".SS ");
    page.extend_from_slice(format!(".SH \"{name}\"\n").as_bytes());
    page.extend_from_slice(part.as_bytes());
    Ok(())
}
