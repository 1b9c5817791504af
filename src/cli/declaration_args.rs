//! The grammar of `rollbook schema` and `rollbook type`.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Declare a schema; one of the same URN is changed
    Add {
        tenant: String,
        /// A JSON file such as /Schemas serves it; - for standard input
        file: PathBuf,
        /// Make it an extension of a resource type, such as User
        #[arg(long = "for", value_name = "TYPE")]
        extends: Option<String>,
        /// Take the values of attributes that it has no more from the resources
        #[arg(long)]
        force: bool,
    },
    /// List the declared schemas
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Show a declared schema as JSON
    Show { tenant: String, urn: String },
    /// Remove a declared schema, and with it the extension that it is
    Remove {
        tenant: String,
        urn: String,
        /// Take its values from the resources
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum TypeCommand {
    /// Declare a resource type; one of the same name is changed, User and Group in their extensions only
    Add {
        tenant: String,
        /// A JSON file such as /ResourceTypes serves it; - for standard input
        file: PathBuf,
        /// Take the values of extensions that it has no more from the resources
        #[arg(long)]
        force: bool,
    },
    /// List the resource types
    List {
        tenant: String,
        /// JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Show a resource type as JSON
    Show { tenant: String, name: String },
    /// Remove a resource type of the tenant's own
    Remove {
        tenant: String,
        name: String,
        /// Remove its resources, too
        #[arg(long)]
        force: bool,
    },
}
