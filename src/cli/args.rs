//! The grammar of the command line.

pub use super::declaration_args::{SchemaCommand, TypeCommand};
pub use super::oauth_args::{ClientCommand, IssuerCommand};
pub use super::roll_args::{CodeCommand, LocationCommand, MailCommand, MemberCommand};
use crate::domain::Idp;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(
    name = "rollbook",
    version,
    about = "A SCIM 2.0 provisioning server: identity providers push people and groups in, Rollbook keeps the roll.",
    after_help = "Start here:\n  rollbook serve --demo          serve on an embedded database, with a tenant to try\n  \
                  rollbook tenant create acme    make a tenant\n  rollbook token issue acme      give its identity provider a token\n\n\
                  Every configuration key can be set in rollbook.toml, or as ROLLBOOK_<SECTION>_<KEY> in the environment; \
                  `rollbook config print` shows what is in force."
)]
pub struct Cli {
    /// Configuration file [default: ./rollbook.toml if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "ROLLBOOK_CONFIG")]
    pub config: Option<PathBuf>,

    /// Database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite://rollbook.db] [env: ROLLBOOK_DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,

    /// Who acts, as the history of members will say
    #[arg(long, global = true, value_name = "NAME", env = "ROLLBOOK_ACTOR", default_value = "command line")]
    pub actor: String,

    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The address given to `serve`.
    pub fn listen(&self) -> Option<String> {
        match &self.command {
            Command::Serve(a) => a.listen.clone(),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve SCIM at /scim/v2 until SIGTERM or SIGINT
    Serve(ServeArgs),
    /// Make, list and show tenants: the customers whose identity providers connect
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
    },
    /// The connections of a tenant's identity providers: make, pause, detach
    Source {
        #[command(subcommand)]
        command: SourceCommand,
    },
    /// Issue, list, rotate and revoke the tokens with which identity providers connect
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// OAuth clients, which fetch short-lived tokens instead of being given one
    Client {
        #[command(subcommand)]
        command: ClientCommand,
    },
    /// Outside issuers whose tokens open a source, such as Microsoft Entra ID
    Issuer {
        #[command(subcommand)]
        command: IssuerCommand,
    },
    /// Keys of the admin API, for operators and for admins of one tenant
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Members of the roll: list, invite, restore, and see what happened to them
    Member {
        #[command(subcommand)]
        command: MemberCommand,
    },
    /// Access codes, for people without an e-mail address and for those who have lost their way in
    Code {
        #[command(subcommand)]
        command: CodeCommand,
    },
    /// The places that a tenant's members can be at
    Location {
        #[command(subcommand)]
        command: LocationCommand,
    },
    /// Mails that wait, were sent, or could not be delivered
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Attributes of a tenant's own: extension schemas and base schemas, in the JSON that /Schemas serves
    Schema {
        #[command(subcommand)]
        command: SchemaCommand,
    },
    /// Resource types of a tenant's own, and the extensions of its users and groups, in the JSON that /ResourceTypes serves
    Type {
        #[command(subcommand)]
        command: TypeCommand,
    },
    /// Show what was tolerated in a tenant's requests, newest first
    Notes {
        tenant: String,
        /// How many requests to show
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show what became of a tenant's SCIM requests, and what they changed, oldest first
    Log(LogArgs),
    /// Say what a recorded SCIM request would do, and why; nothing is done
    Explain(ExplainArgs),
    /// Bring tenants to the state that a file declares; the plan is shown first
    Apply(ApplyArgs),
    /// Print the present tenants, settings and sources as a file for `apply`, without secrets
    Export,
    /// Check configuration, database and migrations, and say how to mend what is wrong
    Check,
    /// Write a SQLite database into a new file, while servers run; the copy is whole, and checked
    Backup {
        /// A file that is not there yet
        file: PathBuf,
    },
    /// Check everything that is stored, and name what is broken; changes nothing and may run while servers do
    Verify {
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Copy everything to another, empty database; every server must be stopped before
    Copy {
        /// The database to read: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME
        #[arg(long, value_name = "URL")]
        from: String,
        /// The database to fill, which must hold no tenant; its tables are made
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 picks a free one [default: 127.0.0.1:8080] [env: ROLLBOOK_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Make a tenant "demo" if the database has no tenant, and print its URL, its token and two curl lines
    #[arg(long)]
    pub demo: bool,
    /// Refuse to start when the database needs migrations, instead of running them
    #[arg(long)]
    pub no_migrate: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct LogArgs {
    pub tenant: String,
    /// Only requests about this member (id, userName or address) or group (id)
    #[arg(long, value_name = "KEY")]
    pub member: Option<String>,
    /// Only requests of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only requests that failed
    #[arg(long)]
    pub failed: bool,
    /// Only requests that changed something
    #[arg(long)]
    pub changed: bool,
    /// Only requests from this time on: 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// One request, by its id in the log or the X-Request-Id of its answer
    #[arg(long, conflicts_with_all = ["member", "source", "failed", "changed", "since", "follow"])]
    pub id: Option<String>,
    /// Go on with what comes in, until stopped
    #[arg(long)]
    pub follow: bool,
    /// How many requests to show
    #[arg(short, long, default_value_t = 20)]
    pub number: u32,
    /// JSON, one request a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[arg(long)]
    pub tenant: String,
    /// The source that sends it
    #[arg(long, default_value = "default")]
    pub source: String,
    /// JSON, for scripts
    #[arg(long)]
    pub json: bool,
    /// The request: {"method", "path", "headers", "body"} as JSON; - is standard input
    #[arg(value_name = "FILE")]
    pub file: String,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The file, in TOML; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: String,
    /// Show the plan and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Make a tenant
    Create {
        /// Lower-case letters, digits and hyphens
        name: String,
        /// The identity provider: auto finds out from the requests, rfc takes the RFC to the letter
        #[arg(long, default_value = "auto", value_parser = idp)]
        idp: Idp,
        /// Whether two groups may not have the same displayName [default: true for entra, else false]
        #[arg(long, value_name = "BOOL")]
        unique_group_names: Option<bool>,
    },
    /// List the tenants
    List {
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Change settings: NAME=VALUE, an empty value for the default, `none` for an empty list; without any, list them
    Set {
        name: String,
        #[arg(value_name = "NAME=VALUE")]
        settings: Vec<String>,
        /// Another identity provider
        #[arg(long, value_parser = idp)]
        idp: Option<Idp>,
        /// Whether two groups may not have the same displayName
        #[arg(long, value_name = "BOOL")]
        unique_group_names: Option<bool>,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Serve a tenant no more: SCIM answers 403, pages and mails wait; nothing is lost
    Suspend {
        name: String,
        /// What identity providers are told
        #[arg(long)]
        reason: Option<String>,
    },
    /// Serve a suspended tenant again
    Resume { name: String },
    /// Delete a tenant with everything it holds: shows how much first, and deletes when that is confirmed
    Delete {
        name: String,
        /// The confirmation that the first step has shown
        #[arg(long, value_name = "WORD")]
        confirm: Option<String>,
    },
    /// Show a tenant: its provider and what gave it away, its tolerances, how much it holds
    Show {
        name: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token; it is shown once and cannot be had again
    Issue {
        tenant: String,
        /// The source that it belongs to
        #[arg(long, default_value = "default")]
        source: String,
        /// What the token is for
        #[arg(long, default_value = "token")]
        name: String,
        /// How long it is valid: 90d, 12h, 30m [default: for ever]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<i64>,
        /// scim:read, scim:write or scim:secrets (links and codes), may be repeated [default: the first two]
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// A signed JWT instead of an opaque token
        #[arg(long)]
        jwt: bool,
        /// The thumbprint of the certificate that must be presented with it (RFC 8705, base64url of SHA-256)
        #[arg(long, value_name = "X5T")]
        certificate: Option<String>,
        /// The member whose own token it is to be, by id, userName or address: it opens /Me and nothing else
        #[arg(long, value_name = "MEMBER")]
        member: Option<String>,
        /// Print the token alone
        #[arg(long)]
        quiet: bool,
    },
    /// Rotate a token: issue one that is accepted beside it, then complete, or cancel
    Rotate {
        tenant: String,
        /// The id, as `rollbook token list` shows it
        id: String,
        /// The new token is in use: revoke the old one
        #[arg(long, conflicts_with = "cancel")]
        complete: bool,
        /// Revoke the new token, and stay with the old one
        #[arg(long)]
        cancel: bool,
        /// Print the new token alone
        #[arg(long)]
        quiet: bool,
    },
    /// List a tenant's tokens, without the tokens themselves
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token; every server refuses it within a second
    Revoke {
        tenant: String,
        /// The id, as `rollbook token list` shows it
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Make a source: another identity provider that pushes into the tenant
    Create {
        tenant: String,
        /// Lower-case letters, digits and hyphens
        name: String,
        /// The identity provider [default: the tenant's]
        #[arg(long, value_parser = idp)]
        idp: Option<Idp>,
    },
    /// List a tenant's sources
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Show a source: its profile, what it may do, and every tolerance with who switched it
    Show {
        tenant: String,
        name: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Change a source: state=active|paused|detached, provider=…, create=, deactivate=, reactivate=, groups=true|false, tolerance.NAME=true|false, client_ca=FILE; an empty value for the default
    Set {
        tenant: String,
        name: String,
        #[arg(value_name = "NAME=VALUE", required = true)]
        changes: Vec<String>,
    },
    /// Delete a source that is detached; its tokens are revoked and nobody is deactivated
    Delete { tenant: String, name: String },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is shown once and cannot be had again
    Create {
        /// The only tenant that it opens [default: all tenants, as an operator's]
        #[arg(long)]
        tenant: Option<String>,
        /// What the key is for
        #[arg(long, default_value = "key")]
        name: String,
        /// How long it is valid: 90d, 12h, 30m [default: for ever]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<i64>,
        /// admin:read, admin:write or admin:secrets (links, codes), may be repeated [default: the first two]
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// Print the key alone
        #[arg(long)]
        quiet: bool,
    },
    /// List the operators' keys, or those of a tenant, without the keys themselves
    List {
        #[arg(long)]
        tenant: Option<String>,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key at once
    Revoke {
        /// The id, as `rollbook key list` shows it
        id: String,
        /// The tenant that it opens, if it does not open all
        #[arg(long)]
        tenant: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration in force, passwords hidden
    Print,
}

fn idp(text: &str) -> Result<Idp, String> {
    text.parse()
}

/// Microseconds.
fn duration(text: &str) -> Result<i64, String> {
    const UNITS: [(char, i64); 3] = [('d', 86_400), ('h', 3_600), ('m', 60)];
    let bad = || format!("\"{text}\" is no duration; 90d, 12h and 30m are");
    let (unit, seconds) = UNITS.into_iter().find(|(u, _)| text.ends_with(*u)).ok_or_else(bad)?;
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_| bad())?;
    number.checked_mul(seconds * 1_000_000).filter(|n| *n > 0).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90d"), Ok(90 * 86_400 * 1_000_000));
        for bad in ["", "d", "90", "-1d", "0h", "1w"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
