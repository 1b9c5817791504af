//! The grammar of the commands about the roll.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// One member of a tenant.
#[derive(Debug, Args)]
pub struct One {
    pub tenant: String,
    /// An id, a userName or an e-mail address
    pub member: String,
    /// JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// List members, those in quarantine among them
    List {
        tenant: String,
        /// uninvited, invited, claimed or quarantined
        #[arg(long)]
        state: Option<String>,
        /// JSON, one member a line
        #[arg(long)]
        json: bool,
    },
    /// Show a member: state, dates, link, mails, groups, and what holds it
    Show(One),
    /// Invite members: those that are named, those that pass a filter, or all who are uninvited
    Invite {
        tenant: String,
        /// Ids, userNames or e-mail addresses
        members: Vec<String>,
        /// The uninvited ones that pass a SCIM filter, such as 'department eq "Sales"'
        #[arg(long, conflicts_with = "members")]
        filter: Option<String>,
        /// Everybody who is uninvited
        #[arg(long, conflicts_with_all = ["members", "filter"])]
        all: bool,
        /// A file with one id, userName or address a line
        #[arg(long, value_name = "FILE", conflicts_with_all = ["members", "filter", "all"])]
        from: Option<PathBuf>,
        /// Only count whom it would reach
        #[arg(long)]
        count: bool,
        /// Do not ask before many are invited
        #[arg(long)]
        yes: bool,
        /// Leave the work to the server and do not wait for it
        #[arg(long)]
        detach: bool,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// List invitations of many, and how far they are; with an id, whom one of them could not invite
    Jobs {
        tenant: String,
        id: Option<String>,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Send a new link; the old one is dead
    Resend(One),
    /// Take an invitation back
    Revoke(One),
    /// Record that somebody has signed in through single sign-on; an invited member has claimed the account then
    Sso(One),
    /// End a member's access; the quarantine begins
    Suspend {
        #[command(flatten)]
        one: One,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Bring a member back from quarantine: the state before, with groups and manager
    Restore(One),
    /// Undo a claim: the member is invited again, the password forgotten
    Reset(One),
    /// Remove a member at once, without quarantine; a claimed account is anonymised
    Delete {
        #[command(flatten)]
        one: One,
        /// That a claimed account is really to be anonymised; there is no way back
        #[arg(long)]
        yes: bool,
    },
    /// Erase a person on request: anonymised at once, unless a legal hold forbids it
    Erase {
        #[command(flatten)]
        one: One,
        /// That the person is really to be anonymised; there is no way back
        #[arg(long)]
        yes: bool,
    },
    /// Set a legal hold: nobody anonymises the member; with --lift, take it away
    Hold {
        #[command(flatten)]
        one: One,
        /// Why
        #[arg(long, required_unless_present = "lift")]
        reason: Option<String>,
        #[arg(long, conflicts_with = "reason")]
        lift: bool,
    },
    /// Give userName and addresses of a quarantined member free for somebody else
    Release(One),
    /// Let those go on to anonymisation who were deactivated when unusually many were
    Confirm {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// What happened to a member, when, by whom, and why
    Timeline(One),
}

#[derive(Debug, Subcommand)]
pub enum CodeCommand {
    /// Issue a code; the member's old one is dead
    Issue(One),
    /// Show the live code once more
    Show(One),
    /// End the live code
    Revoke(One),
    /// Export every live code, as CSV or as a page to print and cut
    Export {
        tenant: String,
        /// A new file, which only you may read
        #[arg(value_name = "FILE")]
        to: PathBuf,
        /// A page to print instead of CSV
        #[arg(long)]
        html: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum LocationCommand {
    /// Add a location; members who were sent with it get it
    Add { tenant: String, name: String },
    /// Rename a location
    Rename { tenant: String, name: String, to: String },
    /// Remove a location; members who have it lose it
    Remove { tenant: String, name: String },
    /// List the locations
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// List mails, newest first
    List {
        tenant: String,
        /// Only those that were given up
        #[arg(long)]
        dead: bool,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Send mails again that were given up: one, or all
    Retry { tenant: String, id: Option<String> },
}
