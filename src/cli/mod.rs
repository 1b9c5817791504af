//! The command line: what an operator types.

mod admin;
mod apply;
mod args;
mod check;
mod clients;
mod codes;
mod declaration_args;
mod declarations;
mod desk;
mod explain;
mod invite;
mod issuers;
mod journal;
mod keep;
mod keys;
mod mails;
mod members;
mod oauth_args;
mod places;
mod roll_args;
mod serve;
mod sources;
mod tokens;

use crate::config::Config;
use args::{Cli, Command, ConfigCommand};
use clap::Parser;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// What a command says when it fails.
type Outcome = Result<(), String>;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Serve(a) => config(&cli).and_then(|c| serve::run(c, a)),
        Command::Tenant { command } => config(&cli).and_then(|c| admin::tenant(&c, &cli.actor, command)),
        Command::Source { command } => config(&cli).and_then(|c| sources::run(&c, &cli.actor, command)),
        Command::Token { command } => config(&cli).and_then(|c| tokens::run(&c, &cli.actor, command)),
        Command::Client { command } => config(&cli).and_then(|c| clients::run(&c, &cli.actor, command)),
        Command::Issuer { command } => config(&cli).and_then(|c| issuers::run(&c, &cli.actor, command)),
        Command::Key { command } => config(&cli).and_then(|c| keys::run(&c, &cli.actor, command)),
        Command::Member { command } => config(&cli).and_then(|c| members::run(&c, &cli.actor, command)),
        Command::Code { command } => config(&cli).and_then(|c| codes::run(&c, &cli.actor, command)),
        Command::Location { command } => config(&cli).and_then(|c| places::run(&c, &cli.actor, command)),
        Command::Mail { command } => config(&cli).and_then(|c| mails::run(&c, &cli.actor, command)),
        Command::Schema { command } => config(&cli).and_then(|c| declarations::schema(&c, &cli.actor, command)),
        Command::Type { command } => config(&cli).and_then(|c| declarations::resource_type(&c, &cli.actor, command)),
        Command::Notes { tenant, limit } => config(&cli).and_then(|c| admin::notes(&c, tenant, *limit)),
        Command::Log(a) => config(&cli).and_then(|c| journal::run(&c, &cli.actor, a)),
        Command::Explain(a) => config(&cli).and_then(|c| explain::run(&c, &cli.actor, a)),
        Command::Apply(a) => config(&cli).and_then(|c| apply::run(&c, &cli.actor, a)),
        Command::Export => config(&cli).and_then(|c| apply::export(&c)),
        Command::Backup { file } => config(&cli).and_then(|c| keep::backup(&c, file)),
        Command::Verify { json } => config(&cli).and_then(|c| keep::verify(&c, *json)),
        Command::Copy { from, to } => keep::copy(from, to),
        Command::Check => check::run(config(&cli)),
        Command::Config { command: ConfigCommand::Print } => config(&cli).and_then(|c| say(c.shown().trim_end())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration: file, environment, then flags.
fn config(cli: &Cli) -> Result<Config, String> {
    #[expect(clippy::disallowed_methods, reason = "the command line is where the environment comes in")]
    let environment = |name: &str| match name {
        "ROLLBOOK_DATABASE_URL" if cli.database.is_some() => cli.database.clone(),
        "ROLLBOOK_LISTEN" => cli.listen().or_else(|| std::env::var(name).ok()),
        _ => std::env::var(name).ok(),
    };
    let beside = Path::new("rollbook.toml");
    let file = cli.config.as_deref().or_else(|| beside.exists().then_some(beside));
    Config::load(file, &environment).map_err(|e| e.to_string())
}

/// Prints a line.
fn say(text: &str) -> Outcome {
    writeln!(std::io::stdout(), "{text}").map_err(|e| format!("cannot write to standard output: {e}"))
}
